"""Where rewards come from: tool pose, images, people; and the node that computes them."""
