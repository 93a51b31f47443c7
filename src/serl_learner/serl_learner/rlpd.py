"""RLPD (Ball et al. 2023) on soft actor-critic (Haarnoja et al. 2018), in the order of the papers.

Target, critic loss, actor loss, temperature loss, updates. Losses are pure and return (loss, info).
A discrete gripper has a target and a loss of its own (HIL-SERL, Luo et al. 2025).
"""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serl_learner.backbone import Backbone
from serl_learner.config import ConfigError, expect
from serl_learner.encoder import EncoderConfig, arrange
from serl_learner.networks import CriticEnsemble
from serl_learner.optimizer_state import load_optimizer, optimizer_tensors
from serl_learner.policy import Policy
from serl_learner.replay import NO_DEMONSTRATION, NO_PENALTY, ONE_STEP, Batch
from serl_learner.transition import ObservationSpec

Figures = dict[str, Tensor]  # of an update, each ()
Info = dict[str, float]  # the same as numbers
GRIPPERS = ("continuous", "discrete")
GRASP_MARGIN = 0.05  # of the demonstrated choice's value over the others', with imitation


@dataclass(frozen=True)
class RLPDConfig:
    """Defaults are those of SERL's real-robot tasks."""

    discount: float = 0.96
    n_step: int = 1  # rewards in a target before the value that follows
    target_update_rate: float = 0.005  # share of the critic that the target takes per critic step
    ensemble: int = 10
    subset: int = 2  # members that the target takes the minimum of, drawn per critic step
    hidden: tuple[int, ...] = (256, 256)
    std_range: tuple[float, float] = (1e-5, 5.0)  # of the Gaussian under the tanh
    learning_rate: float = 3e-4
    initial_temperature: float = 1e-2
    target_entropy: float | None = None  # nats; left out: -1/2 per element of the Gaussian
    backup_entropy: bool = False  # the target holds the entropy of the next action
    return_range: tuple[float, float] | None = None  # bounds of the return, where known
    # Who decides the action's last element: continuous, the Gaussian, as all others (SERL: grasp
    # penalties are part of the return); discrete, a critic of its own, which alone sees them.
    gripper: str = "continuous"
    # Weight, beside Q, of staying near what prior data did (TD3+BC, Fujimoto & Gu 2021): where one
    # step of many is hard, as a grasp is, the critic alone keeps the policy away from it for long.
    imitation: float = 0.0
    imitation_steps: int = 10_000  # critic steps in which that weight falls to 0, linearly

    def __post_init__(self) -> None:
        expect(0 <= self.discount <= 1, "discount", "0 to 1", self.discount)
        expect(self.n_step >= 1, "n_step", "at least 1", self.n_step)
        rate = self.target_update_rate
        expect(0 < rate <= 1, "target_update_rate", "above 0, at most 1", rate)
        expect(self.ensemble >= 1, "ensemble", "at least 1", self.ensemble)
        expect(1 <= self.subset <= self.ensemble, "subset", "1 to ensemble", self.subset)
        hidden_ok = self.hidden and min(self.hidden) >= 1
        expect(hidden_ok, "hidden", "sizes of at least one layer", self.hidden)
        low, high = self.std_range
        expect(0 < low < high, "std_range", "0 < low < high", self.std_range)
        expect(self.learning_rate > 0, "learning_rate", "above 0", self.learning_rate)
        alpha = self.initial_temperature
        expect(alpha > 0, "initial_temperature", "above 0", alpha)
        if self.return_range is not None:
            low, high = self.return_range
            expect(low < high, "return_range", "low < high", self.return_range)
            # the entropy would be part of the return, which these bounds leave out
            expect(not self.backup_entropy, "return_range", "no backup_entropy with it", "both")
        expect(self.imitation >= 0, "imitation", "at least 0", self.imitation)
        fades_in = self.imitation_steps
        expect(fades_in >= 1, "imitation_steps", "at least 1", fades_in)
        expect(self.gripper in GRIPPERS, "gripper", " or ".join(GRIPPERS), self.gripper)


class NonFiniteLoss(ConfigError):
    """A loss is NaN or infinite.

    The step that it would have made is left out; earlier ones of the same round are in.
    """


@dataclass(frozen=True)
class Encoded:
    """B transitions as the networks see them."""

    encoding: Tensor  # (B, D), with the gradient to the encoder
    action: Tensor  # (B, A)
    reward: Tensor  # (B,)
    mask: Tensor  # (B,)
    next_encoding: Tensor  # (B, D), without gradient
    grasp_penalty: Tensor = NO_PENALTY  # (B,)
    demonstrated: Tensor = NO_DEMONSTRATION  # (B,) or ()
    steps: Tensor = ONE_STEP  # (B,) or ()


class RLPD(nn.Module):
    """Policy, critics and temperature, each with an optimiser of its own, and how they learn.

    The encoder is shared. The critic trains it, and imitation; the policy takes the encoding as it
    is.
    """

    def __init__(
        self,
        config: RLPDConfig,
        spec: ObservationSpec,
        action_size: int,
        seed: int,
        encoder: EncoderConfig | None = None,
        backbone: Backbone | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.config = config
        self.device = torch.device(device)
        discrete = config.gripper == "discrete"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.policy = Policy(
                spec, action_size, config.hidden, config.std_range, encoder, backbone, discrete
            )
            state_size, gaussian_size = self.policy.encoder.size, self.policy.gaussian_size
            self.critic = CriticEnsemble(config.ensemble, state_size, gaussian_size, config.hidden)
        self.target_critic = copy.deepcopy(self.critic)
        self.target_grasp_critic = copy.deepcopy(self.policy.grasp_critic)
        self.target_entropy = (
            -0.5 * gaussian_size if config.target_entropy is None else config.target_entropy
        )
        # softplus of this is the temperature, which is so kept above 0
        self.raw_temperature = nn.Parameter(
            torch.tensor(math.log(math.expm1(config.initial_temperature)))
        )
        # `critic_steps` once more, where an update that a GPU replays counts them too.
        self.register_buffer("_made", torch.zeros(()), persistent=False)
        self.to(self.device)
        self._online = _parameters(self.critic, self.policy.grasp_critic)
        self._targets = _parameters(self.target_critic, self.target_grasp_critic)
        for parameter in self._targets:
            parameter.requires_grad_(False)
        self.optimizers = {
            "critic": self._adam([*self._online, *self.policy.encoder.parameters()]),
            "actor": self._adam(self.policy.actor.parameters()),
            "temperature": self._adam([self.raw_temperature]),
        }
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.critic_steps = 0
        self.actor_steps = 0

    def _adam(self, parameters) -> torch.optim.Adam:
        rate, on_gpu = self.config.learning_rate, self.device.type == "cuda"
        return torch.optim.Adam(parameters, lr=rate, fused=True, capturable=on_gpu)

    @property
    def temperature(self) -> Tensor:
        return F.softplus(self.raw_temperature)

    def encode(self, batch: Batch) -> Encoded:
        """Sees each observation once, for all losses. Only the critic's step trains the encoder."""
        encoder = self.policy.encoder
        encoding = encoder(batch.state, arrange(batch.frames), dropout=self.generator)
        with torch.no_grad():
            following = encoder(batch.next_state, arrange(batch.next_frames))
        given = batch.action, batch.reward, batch.mask
        beside = batch.grasp_penalty, batch.demonstrated, batch.steps
        return Encoded(encoding, *given, following, *beside)

    @torch.no_grad()
    def target(self, batch: Encoded) -> Tensor:
        """r + discount^steps * mask * min over a random subset of the target critics, (B,).

        r is the reward, of several steps the discounted sum, with the grasp penalty where the
        gripper is one element of the Gaussian.
        """
        config, following = self.config, batch.next_encoding
        next_action, log_prob = self.policy.sample(following, self.generator)
        order = torch.rand(config.ensemble, generator=self.generator, device=self.device)
        members = order.argsort()[: config.subset]
        value = self.target_critic(following, next_action, members).amin(dim=0)  # (B,)
        if config.backup_entropy:
            value = value - self.temperature * log_prob
        penalty = batch.grasp_penalty if self.policy.grasp_critic is None else 0.0
        target = batch.reward + penalty + config.discount**batch.steps * batch.mask * value
        return target if config.return_range is None else target.clamp(*config.return_range)

    @torch.no_grad()
    def grasp_target(self, batch: Encoded) -> Tensor:
        """As `target`: r + penalty, and the target critic's value of the online one's best, (B,).

        That is double DQN. Penalties leave a return's upper bound as it is, and no lower one.
        """
        config, following = self.config, batch.next_encoding
        best = self.policy.grasp_critic.best(following)
        value = _at(self.target_grasp_critic(following), best)
        reward = batch.reward + batch.grasp_penalty
        target = reward + config.discount**batch.steps * batch.mask * value
        return target if config.return_range is None else target.clamp(max=config.return_range[1])

    def critic_loss(self, batch: Encoded, target: Tensor) -> tuple[Tensor, Figures]:
        """Squared error to the target (B,), mean over the ensemble and the batch."""
        action = batch.action[:, : self.policy.gaussian_size]
        q = self.critic(batch.encoding, action)  # (E, B)
        loss = (q - target).square().mean()
        return loss, {"critic_loss": loss.detach(), "q_mean": q.detach().mean()}

    def grasp_loss(self, batch: Encoded, target: Tensor) -> tuple[Tensor, Figures]:
        """Squared error of what the gripper did to the target (B,), mean over the batch.

        With imitation, also what any other choice is worth above it, less a margin, where it was
        demonstrated (DQfD, Hester et al. 2018).
        """
        choice = self.policy.grasp_critic.choice(batch.action)
        values = self.policy.grasp_critic(batch.encoding)  # (B, 3)
        q = _at(values, choice)
        loss = (q - target).square().mean()
        if self.config.imitation > 0.0:
            with_margin = values + GRASP_MARGIN * (1 - F.one_hot(choice, 3))
            excess = with_margin.amax(dim=-1) - q
            loss = loss + self._imitation() * (batch.demonstrated * excess).mean()
        return loss, {"grasp_loss": loss.detach()}

    def actor_loss(self, batch: Encoded) -> tuple[Tensor, Figures]:
        """temperature * log pi(a|s) - mean over the ensemble of Q(s, a).

        With imitation, also the squared distance of a to the action that was demonstrated: of its
        mean and of its spread, both of which the critic of a new run has go astray.
        """
        encoding = batch.encoding.detach()
        action, log_prob = self.policy.sample(encoding, self.generator)
        q = self.critic(encoding, action).mean(dim=0)  # (B,)
        loss = (self.temperature.detach() * log_prob - q).mean()
        if self.config.imitation > 0.0:
            loss = loss + self.imitation_loss(batch, action)
        return loss, {"actor_loss": loss.detach(), "entropy": -log_prob.detach().mean()}

    def imitation_loss(self, batch: Encoded, action: Tensor) -> Tensor:
        """Squared distance of the policy's actions to the demonstrated ones, times its weight."""
        demonstrated = batch.action[:, : self.policy.gaussian_size]
        distance = (action - demonstrated).square().sum(dim=-1)  # (B,)
        return self._imitation() * (batch.demonstrated * distance).mean()

    def _imitation(self) -> Tensor:
        """The weight () of imitation now."""
        left = 1.0 - self._made / self.config.imitation_steps
        return self.config.imitation * left.clamp(min=0.0)

    def temperature_loss(self, entropy: Tensor) -> tuple[Tensor, Figures]:
        """Raises the temperature while the entropy () of the policy is below its target."""
        temperature = self.temperature
        loss = temperature * (entropy - self.target_entropy)
        return loss, {"temperature": temperature.detach()}

    def update(self, batch: Batch, with_actor: bool) -> Info:
        """One critic step, then if asked one of the actor and of the temperature."""
        return self.count_update(self.descend(batch, with_actor), with_actor)

    def descend(self, batch: Batch, with_actor: bool) -> Figures:
        """The part of an update that a GPU makes by itself."""
        encoded = self.encode(batch)
        figures = self.update_critic(encoded)
        return figures | self.update_actor(encoded) if with_actor else figures

    def count_update(self, figures: Figures, with_actor: bool) -> Info:
        """The figures of an update as numbers; raises NonFiniteLoss if one is none."""
        numbers = torch.stack(list(figures.values())).tolist()
        info = dict(zip(figures, numbers, strict=True))
        for name in ("critic", "grasp", "actor"):
            if not math.isfinite(loss := info.get(f"{name}_loss", 0.0)):
                raise NonFiniteLoss(
                    f"{name} loss is {loss} at critic step {self.critic_steps}, not applied"
                )
        self.critic_steps += 1
        self.actor_steps += with_actor
        return info

    def update_critic(self, batch: Encoded) -> Figures:
        """One step of the critics and of the encoder; the target networks follow."""
        loss, figures = self.critic_loss(batch, self.target(batch))
        if self.policy.grasp_critic is not None:
            grasp_loss, grasp_figures = self.grasp_loss(batch, self.grasp_target(batch))
            loss, figures = loss + grasp_loss, figures | grasp_figures
        if self.config.imitation > 0.0 and self.policy.encoder.heads is not None:
            # What to do is learned sooner than what it is worth: the encoder learns from both.
            action, _ = self.policy.sample(batch.encoding, self.generator)
            loss = loss + self.imitation_loss(batch, action)
        self._step("critic", loss)
        online = [p.data for p in self._online]
        torch._foreach_lerp_(self._targets, online, self.config.target_update_rate)
        self._made += 1
        return figures

    def update_actor(self, batch: Encoded) -> Figures:
        """One step of the actor and of the temperature, against the critic as it is."""
        loss, actor_figures = self.actor_loss(batch)
        self._step("actor", loss)
        loss, temperature_figures = self.temperature_loss(actor_figures["entropy"])
        self._step("temperature", loss)
        return actor_figures | temperature_figures

    def state(self) -> dict[str, Tensor]:
        """Everything that an interrupted training continues from."""
        tensors = {f"network.{name}": value for name, value in self.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            tensors |= optimizer_tensors(f"optimizer.{name}", optimizer)
        steps = torch.tensor([self.critic_steps, self.actor_steps])
        return tensors | {"generator": self.generator.get_state(), "steps": steps}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Takes over what `state` gave, in place. Raises if names or shapes differ."""
        prefix = "network."
        networks = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        self.load_state_dict(networks)
        for name, optimizer in self.optimizers.items():
            load_optimizer(f"optimizer.{name}", optimizer, tensors)
        generator = tensors["generator"]
        if generator.shape == self.generator.get_state().shape:  # from a GPU to a CPU, it is not
            self.generator.set_state(generator)
        self.critic_steps, self.actor_steps = tensors["steps"].tolist()
        self._made.fill_(self.critic_steps)

    def _step(self, name: str, loss: Tensor) -> None:
        """One Adam step of the named network, and of no other. None, where the loss is not finite.

        That is left to the optimiser, so that nothing here waits for a GPU.
        """
        optimizer = self.optimizers[name]
        parameters = optimizer.param_groups[0]["params"]
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.contiguous()  # a convolution's may have the channels last
        optimizer.found_inf = loss.detach().isfinite().logical_not().float()
        optimizer.step()


def _parameters(*networks: nn.Module | None) -> list[nn.Parameter]:
    return [p for network in networks if network is not None for p in network.parameters()]


def _at(values: Tensor, choice: Tensor) -> Tensor:
    """(B, N), (B,) -> (B,): one value of each row."""
    return values.gather(1, choice[:, None]).squeeze(1)
