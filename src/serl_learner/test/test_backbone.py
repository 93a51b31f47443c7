"""Backbones: shapes and numbers worked out by hand, weights from everywhere, and every mistake."""

import math
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from serl_learner.backbone import Backbone, make_backbone, save_backbone
from serl_learner.config import ConfigError

# Of the random weights. Policies name it: what draws them must never change.
RESNET10_RANDOM = "09e30e62c201"


def images(count=2, height=64, width=64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, height, width, 3), generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="module")
def resnet10() -> Backbone:
    return make_backbone("resnet10", "random")


@pytest.fixture(scope="module")
def torchvision_resnet18() -> nn.Module:
    """As it comes out of a training: statistics and scales other than at its start."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    model = resnet18()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 1.5)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_()
    return model.eval()


@pytest.mark.parametrize(
    ("name", "height", "width", "shape"),
    [
        ("resnet10", 128, 128, (512, 4, 4)),
        ("resnet10", 100, 65, (512, 4, 3)),
        ("resnet18", 128, 128, (512, 4, 4)),
        ("resnet18", 100, 65, (512, 4, 3)),
        ("small", 128, 128, (256, 7, 7)),
        ("small", 31, 64, (256, 1, 3)),
        ("tiny", 128, 128, (64, 8, 8)),
        ("tiny", 100, 65, (64, 7, 5)),
    ],
)
def test_shapes(name, height, width, shape):
    backbone = make_backbone(name, "random")
    features = backbone(images(3, height, width))
    assert backbone.feature_shape(height, width) == shape
    assert features.shape == (3, *shape)
    assert features.dtype == torch.float32
    assert features.is_contiguous()


def test_small_needs_images_that_are_large_enough():
    with pytest.raises(ConfigError, match=r"^images: expected at least 31x31 px, got 64x30$"):
        make_backbone("small", "random").feature_shape(64, 30)


# tiny: (3 x 16 + 16 x 32 + 32 x 64 + 64 x 64) x 9 of kernels, 3 x 176 of biases and norms
SIZES = [("resnet10", 4_905_792), ("small", 388_416), ("tiny", 60_864)]


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_number_of_parameters(name, size):
    assert sum(p.numel() for p in make_backbone(name, "random").parameters()) == size


def test_pixels_are_normalised_as_imagenet():
    backbone = Backbone("identity", nn.Identity(), frozen=False)
    pixel = torch.tensor([255, 0, 51], dtype=torch.uint8).view(1, 1, 1, 3)
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225]
    assert backbone(pixel).flatten().tolist() == pytest.approx(expected, rel=1e-5)
    assert pixel.flatten().tolist() == [255, 0, 51]


def test_features_of_an_image_do_not_depend_on_the_others(resnet10):
    batch = images(3)
    torch.testing.assert_close(resnet10(batch)[1:2], resnet10(batch[1:2]), rtol=1e-4, atol=1e-5)


def test_an_accelerated_one_sees_nearly_the_same_and_is_the_same():
    precise, fast = make_backbone("resnet10", "random"), make_backbone("resnet10", "random")
    seen, expected = fast.accelerate()(images()), precise(images())
    assert seen.dtype == torch.float32
    assert (seen - expected).norm() < 0.02 * expected.norm()
    assert fast.digest == precise.digest


def test_one_that_is_trained_keeps_its_precision():
    backbone = make_backbone("tiny", "random").accelerate()
    assert {p.dtype for p in backbone.parameters()} == {torch.float32}


def test_random_weights_are_the_same_in_every_process(resnet10):
    program = (
        "import torch; torch.manual_seed(7);"
        "from serl_learner.backbone import make_backbone;"
        "print(make_backbone('resnet10', 'random').digest)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.strip() == resnet10.digest
    assert resnet10.digest.startswith(RESNET10_RANDOM)


@pytest.mark.parametrize("name", ["resnet10", "resnet18", "small", "tiny"])
def test_random_weights_leave_the_global_generator_alone(name):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    make_backbone(name, "random")
    assert torch.equal(torch.get_rng_state(), before)


def test_random_weights_keep_the_size_of_what_goes_through(resnet10):
    weight = resnet10.network.conv_init.weight
    torch.testing.assert_close(weight.std().item(), math.sqrt(2 / (64 * 7 * 7)), rtol=0.02, atol=0)
    norm = resnet10.network.blocks[2].norm_proj
    assert (norm.weight == 1).all() and (norm.bias == 0).all()
    assert 0.2 < resnet10(images()).std() < 5


def test_frozen_stays_in_evaluation_and_without_gradients(resnet10, torchvision_resnet18, tmp_path):
    torch.save(torchvision_resnet18.state_dict(), tmp_path / "r.pth")
    for backbone in (resnet10, make_backbone("resnet18", str(tmp_path / "r.pth"))):
        before = backbone(images())
        backbone.train()
        assert backbone.frozen
        assert not any(module.training for module in backbone.modules())
        assert not any(p.requires_grad for p in backbone.parameters())
        features = backbone(images())
        assert not features.requires_grad and not features.is_inference()
        assert torch.equal(features, before)


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_the_small_ones_are_trained(name):
    backbone = make_backbone(name, "random")
    assert not backbone.frozen and backbone.digest == ""
    assert backbone.train().training
    backbone(images()).square().mean().backward()
    for parameter in backbone.parameters():
        assert parameter.grad.abs().sum() > 0


def test_resnet18_is_torchvisions(torchvision_resnet18, tmp_path):
    torch.save(torchvision_resnet18.state_dict(), tmp_path / "r.pth")
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((images() / 255 - mean) / std).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = nn.Sequential(*list(torchvision_resnet18.children())[:-2])(x)
    features = make_backbone("resnet18", str(tmp_path / "r.pth"))(images())
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-3)


def test_saved_and_read_again(resnet10, tmp_path):
    path = tmp_path / "eyes.safetensors"
    changed = make_backbone("resnet10", "random")
    changed.network.norm_init.bias.data[5] = 0.25
    save_backbone(changed, path)
    again = make_backbone("resnet10", str(path))
    assert again.network.norm_init.bias[5] == 0.25
    assert again.digest != resnet10.digest
    assert not torch.equal(again(images()), resnet10(images()))
    save_backbone(resnet10, path)
    again = make_backbone("resnet10", str(path))
    assert again.digest == resnet10.digest
    assert torch.equal(again(images()), resnet10(images()))
    assert [p.name for p in tmp_path.iterdir()] == ["eyes.safetensors"]


def test_saving_to_where_nothing_can_be_written(resnet10, tmp_path):
    path = tmp_path / "no" / "eyes.safetensors"
    with pytest.raises(ConfigError) as error:
        save_backbone(resnet10, path)
    assert str(error.value) == f"{path}: cannot be written: No such file or directory"


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        (
            "resnet50",
            "random",
            "encoder.backbone: expected one of resnet10, resnet18, small, tiny, got resnet50",
        ),
        ("small", "imagenet", "encoder.weights: expected random for small, got imagenet"),
        ("small", "eyes.safetensors", "encoder.weights: expected random for small, got eyes.safet"),
        (
            "resnet10",
            "imagenet",
            "encoder.weights: expected random or a file for resnet10, got imagenet",
        ),
        (
            "resnet10",
            "eyes.pth",
            "encoder.weights: expected random or a .safetensors file for resnet10, got eyes.pth",
        ),
        (
            "resnet18",
            "imagnet",
            "encoder.weights: expected random, imagenet or a .safetensors or .pth file for"
            " resnet18, got imagnet",
        ),
        ("resnet10", "no.safetensors", "encoder.weights: no.safetensors: no such file"),
    ],
)
def test_wrong_names(name, weights, message):
    assert refusal(name, weights).startswith(message)


def refusal(name, weights) -> str:
    with pytest.raises(ConfigError) as error:
        make_backbone(name, str(weights))
    message = str(error.value)
    assert "\n" not in message
    return message


def test_weights_of_another_backbone(tmp_path):
    path = tmp_path / "small.safetensors"
    save_backbone(make_backbone("small", "random"), path)
    assert refusal("resnet10", path) == f"{path}: expected weights of resnet10, got small"
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    assert refusal("resnet10", path) == f"{path}: expected weights of resnet10, got no backbone"


def test_damaged_file(resnet10, tmp_path):
    path = tmp_path / "eyes.safetensors"
    save_backbone(resnet10, path)
    for content in (b"", b"not weights at all", path.read_bytes()[:-1000]):
        path.write_bytes(content)
        assert refusal("resnet10", path).startswith(f"{path}: not a safetensors file: ")


def test_tensors_that_do_not_fit(resnet10, tmp_path):
    path = tmp_path / "eyes.safetensors"
    state = {k: v.contiguous() for k, v in resnet10.network.state_dict().items()}
    bias = state.pop("norm_init.bias")

    def written(**more) -> str:
        safetensors.torch.save_file(state | more, path, {"backbone": "resnet10"})
        return refusal("resnet10", path)

    expected = f"{path}: norm_init.bias: expected a tensor (64,), got"
    assert written() == f"{expected} none"
    assert written(**{"norm_init.bias": bias[:3]}) == f"{expected} (3,)"
    more = {"norm_init.bias": bias, "extra": torch.zeros(1)}
    assert written(**more) == f"{path}: extra: expected no such tensor"


def test_pth_that_is_no_weights(tmp_path):
    path = tmp_path / "r.pth"
    for content in (b"", b"not weights at all"):
        path.write_bytes(content)
        assert refusal("resnet18", path).startswith(f"{path}: not a file of weights: ")
    torch.save({"epoch": 3}, path)
    assert refusal("resnet18", path).startswith(f"{path}: expected a dictionary of tensors")
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    assert refusal("resnet18", path).startswith(f"{path}: conv1.weight: expected a tensor (64, 3,")


def test_pth_runs_nothing(tmp_path):
    path = tmp_path / "r.pth"
    torch.save({"conv1.weight": Evil(tmp_path / "ran")}, path)
    assert refusal("resnet18", path).startswith(f"{path}: not a file of weights: ")
    assert not (tmp_path / "ran").exists()


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """The file where torch's hub keeps ResNet-18, on a machine without internet."""

    def no_internet(*_, **__):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_internet)
    return tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"


def test_imagenet_from_the_cache(hub, torchvision_resnet18):
    hub.parent.mkdir(parents=True)
    state = torchvision_resnet18.state_dict()
    # as the published file, which is older than this counter
    torch.save({k: v for k, v in state.items() if "num_batches_tracked" not in k}, hub)
    backbone = make_backbone("resnet18", "imagenet")
    assert torch.equal(backbone.network.conv1.weight, state["conv1.weight"])
    assert backbone.digest == make_backbone("resnet18", str(hub)).digest


def test_imagenet_without_internet(hub):
    assert refusal("resnet18", "imagenet") == (
        f"encoder.weights: imagenet: no {hub}, and no download: Name or service not known;"
        " give a file, or random, or copy this one from a machine with internet"
    )


def test_imagenet_from_a_damaged_cache(hub):
    hub.parent.mkdir(parents=True)
    hub.write_bytes(b"half a file")
    assert refusal("resnet18", "imagenet").startswith(f"{hub}: damaged, remove it: ")
