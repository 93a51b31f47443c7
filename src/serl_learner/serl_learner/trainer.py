"""The learner's loop: take in transitions, sample, update, publish, save, report."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from serl_learner import classifier
from serl_learner.backbone import make_backbone
from serl_learner.checkpoint import REWARD_FILE, Checkpoint, CheckpointStore
from serl_learner.compute import find_device, tuned_process
from serl_learner.config import ConfigError
from serl_learner.cuda_graph import make_update
from serl_learner.encoder import EncoderConfig
from serl_learner.frames import Frames, FrameStage
from serl_learner.governor import Governor
from serl_learner.policy import to_bytes
from serl_learner.replay import Batch, ReplayBuffer, filled_replay
from serl_learner.rlpd import RLPD, Info, RLPDConfig
from serl_learner.status import REPORT_PERIOD_S, StatusReporter, TrainerState, TrainerStatus
from serl_learner.transition import ObservationSpec, Transition
from serl_learner.vice import POOL, Vice, ViceSource

POLL_S = 0.1  # longest wait for data, so that `stop` is asked at least this often


@dataclass(frozen=True)
class LearnerConfig:
    """Defaults are those of SERL's real-robot tasks. A "step" alone is one of an actor."""

    observation_keys: tuple[str, ...] = ()  # what policy and critic see, by name; none: everything
    batch_size: int = 256  # half from the actors, half prior data and corrections
    replay_capacity: int = 200_000  # observations
    warm_start: int = 0  # critic steps on prior data alone, before anybody acts
    training_starts: int = 200  # steps before the first update on what they did
    utd_ratio: float = 4.0  # critic steps per step: SERL's one iteration of four critic steps
    critic_actor_ratio: int = 4  # critic steps per actor step
    free_running: bool = False  # never wait for data: `utd_ratio` does not bind
    publish_period: int = 10  # steps
    checkpoint_period: int = 1000  # steps
    threads: int = 1  # of torch
    device: str = "cpu"  # or cuda; auto: cuda where there is one

    def __post_init__(self) -> None:
        minima = {
            "batch_size": 2,
            "critic_actor_ratio": 1,
            "warm_start": 0,
            "training_starts": 0,
            "replay_capacity": 2,
        }
        minima |= {"publish_period": 1, "checkpoint_period": 1, "threads": 1}
        for key, minimum in minima.items():
            if getattr(self, key) < minimum:
                raise ConfigError(f"{key}: expected at least {minimum}, got {getattr(self, key)}")
        if self.utd_ratio <= 0:
            raise ConfigError(f"utd_ratio: expected above 0, got {self.utd_ratio}")


@dataclass(frozen=True)
class PolicySnapshot:
    version: int  # critic steps that made it
    env_steps: int  # steps whose updates are in it
    data: bytes  # see policy.from_bytes


@dataclass(frozen=True)
class TrainerPulse:
    """How a trainer is doing at this moment."""

    device: str
    received_steps: int  # transitions
    learned_steps: int  # of them, those that were learned from as often as they are worth
    replay_size: int
    critic_step_s: float  # time that one took lately; NaN before the first
    checkpoint_age_s: float  # NaN before the first that this process made


class Trainer:
    """Trains on what `receive` gives, at `utd_ratio` critic steps per transition.

    `receive(timeout_s)` returns new transitions, each actor's in order; it waits if there are none.
    With `resume`, the newest checkpoint is continued; `receive` then first gives the transitions
    from before it again, which refill the replay and are not counted twice.
    """

    def __init__(
        self,
        config: LearnerConfig,
        rlpd: RLPDConfig,
        prior: Sequence[Transition],
        receive: Callable[[float], list[Transition]],
        publish: Callable[[PolicySnapshot], None],
        report: Callable[[TrainerStatus], None],
        seed: int,
        checkpoints: CheckpointStore | None,
        resume: bool = False,
        encoder: EncoderConfig | None = None,
        vice: ViceSource | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """With `vice` a classifier is trained beside the policy, and rewards are its."""
        self._config = config
        self._rlpd_config = rlpd
        self._encoder_config = encoder or EncoderConfig()
        self._device = find_device(config.device)
        self._prior_transitions = prior
        self._receive = receive
        self._publish_to = publish
        self._seed = seed
        self._checkpoints = checkpoints
        self._vice_source = vice
        self._clock = clock
        self._rng = np.random.default_rng(seed)
        self._governor = Governor(config.training_starts, config.utd_ratio, config.free_running)
        self._status = StatusReporter(report, clock)
        self._agent: RLPD | None = None  # made when the observations are known, with
        self._frames: Frames | None = None  # what the replay keeps of images, and
        self._stage: FrameStage | None = None  # where that is made of them, and
        self._vice: Vice | None = None  # the classifier, with VICE
        self._published = self._saved = 0  # steps at the last publication and checkpoint
        self._arrived_at = clock()
        self._step_s = self._saved_at = math.nan  # of the last critic step; of the last checkpoint
        checkpoint = checkpoints.latest() if checkpoints else None
        if checkpoint and not resume:
            raise ConfigError(f"{checkpoint.path}: an earlier run is here; resume it or move it")
        if checkpoint:
            self._restore(checkpoint)
        elif prior:
            self._prepare(*self._shapes(prior[0]))

    def pulse(self) -> TrainerPulse:
        """For any thread; it only reads numbers."""
        governor, stage = self._governor, self._stage
        arriving = stage.pending if stage else 0
        return TrainerPulse(
            str(self._device),
            governor.env_steps + arriving,
            governor.learned_steps,
            len(self._online) if self._agent else 0,
            self._step_s,
            self._clock() - self._saved_at,
        )

    def run(self, stop: Callable[[], bool]) -> None:
        """Trains until `stop()`, asked at least every 0.1 s; then saves a last checkpoint."""
        message = ""
        try:
            with tuned_process(self._config.threads):
                self._train(stop)
            self._save()
        except Exception as error:
            message = str(error)
            raise
        finally:
            if self._stage:
                self._stage.close()
            self._report(TrainerState.STOPPED, message)

    def _train(self, stop: Callable[[], bool]) -> None:
        """The loop: at most one critic step per round, so that data and `stop` are seen soon."""
        governor, config = self._governor, self._config
        if self._agent:
            self._warm_start(stop)
            self._publish()
        while not stop():
            self._take_in(0.0 if governor.due else POLL_S)
            if governor.due and len(self._online) > 0:
                self._update()
            if governor.learned_steps - self._published >= config.publish_period:
                self._publish()
            if governor.learned_steps - self._saved >= config.checkpoint_period:
                self._save()
            if self._status.is_due(self._state()):
                awaited = governor.waiting_for
                self._report(self._state(), f"waiting for {awaited}" if awaited else "")

    def _warm_start(self, stop: Callable[[], bool]) -> None:
        """Updates of a new agent, so that its first steps are not at random."""
        steps, size = self._warm_start_steps, self._config.batch_size
        while self._agent.critic_steps < steps and self._governor.env_steps == 0 and not stop():
            self._descend(self._augmented(Batch.concatenate(*self._shown(size))))
            if self._status.is_due(TrainerState.TRAINING):
                self._report(TrainerState.TRAINING, "warm start")

    @property
    def _warm_start_steps(self) -> int:
        return self._config.warm_start if len(self._prior) else 0

    def _shapes(self, transition: Transition) -> tuple[ObservationSpec, int]:
        keys = self._config.observation_keys
        return ObservationSpec.from_observation(transition.observation, keys), len(
            transition.action
        )

    def _prepare(
        self,
        spec: ObservationSpec,
        action_size: int,
        tensors: dict[str, Tensor] | None = None,
    ) -> None:
        """Makes the agent, or restores it from its tensors, and the replay with the prior data."""
        config, encoder, device = self._config, self._encoder_config, self._device
        backbone = None
        if spec.images:
            backbone = make_backbone(encoder.backbone, encoder.weights).to(device).accelerate()
        sizes = spec, action_size, self._seed
        agent = RLPD(self._rlpd_config, *sizes, encoder, backbone, device)
        self._apply = make_update(agent)
        compression = agent.policy.encoder.compression
        prior = self._prior_transitions
        for transition in prior:
            transition.check(spec, action_size)
        if tensors is not None:
            agent.load_state(tensors)
        elif prior:
            agent.policy.fit([t.observation for t in prior])
        elif compression is not None:
            compression.expect_fit()
        self._frames = Frames(spec, encoder, backbone, compression, self._seed)
        self._stage = FrameStage(self._frames)
        self._online = ReplayBuffer(
            config.replay_capacity, spec, action_size, self._rng, self._frames, device
        )
        self._prior = filled_replay(prior, spec, action_size, self._rng, self._frames, device)
        self._prior_transitions = ()  # their images are not needed any more
        if self._vice_source:
            self._prepare_vice(agent, tensors)
        self._agent = agent

    def _prepare_vice(self, agent: RLPD, tensors: dict[str, Tensor] | None) -> None:
        source = self._vice_source
        self._vice = Vice(source.config, agent.policy, source.goals, self._frames, self._seed)
        if tensors is not None:
            self._vice.load_state(tensors)

    def _take_in(self, timeout_s: float) -> None:
        """Moves what has arrived into the replay; waits for something new up to the timeout."""
        arriving = self._stage.pending if self._stage else 0
        transitions = self._receive(0.0 if arriving else timeout_s)
        if transitions and not self._agent:
            self._prepare(*self._shapes(transitions[0]))
            self._publish()
        if not self._agent:
            return
        for transition in transitions:
            transition.check(self._agent.policy.spec, self._agent.policy.action_size)
        if transitions:
            self._stage.put(transitions)
        arrivals = self._stage.get(timeout_s)
        for transition, *frames in arrivals:
            self._online.add(transition, *frames)
            self._governor.receive(transition.actor, transition.sequence)
        if arrivals:
            self._arrived_at = self._clock()

    def _update(self) -> None:
        """One critic step, and every so many of them one of the actor on the same batch."""
        agent = self._agent
        if agent.critic_steps == 0 and len(self._prior) == 0:
            agent.policy.normalizer.fit(self._online.states())
        batch, info = self._sample(), {}
        if self._vice:
            info |= self._update_vice()
            batch = self._vice.relabel(batch)
        self._descend(batch, info)
        self._governor.critic_step()

    def _descend(self, batch: Batch, info: Info | None = None) -> None:
        """A critic step, and one of the actor when it is time; `info` is reported with its own."""
        began_at = self._clock()
        with_actor = (self._agent.critic_steps + 1) % self._config.critic_actor_ratio == 0
        self._status.add((info or {}) | self._apply(batch, with_actor))
        self._step_s = self._clock() - began_at

    def _update_vice(self) -> Info:
        """When it is time, a step of the classifier against what the policy did."""
        if self._vice.classifier.version == 0:
            self._vice.warm_up(self._sample_reached)
        due = self._vice.is_due(self._agent.critic_steps)
        return self._vice.step(self._sample_reached()) if due else {}

    def _sample(self) -> Batch:
        """Half of what actors did, half of what was shown (RLPD, "symmetric sampling").

        All of the former, where nothing was shown.
        """
        size = self._config.batch_size
        is_shown = len(self._prior) + self._online.corrections > 0
        shown = self._shown(size - size // 2) if is_shown else []
        online = self._online.sample(size // 2 if is_shown else size, *self._returns)
        return self._augmented(Batch.concatenate(_marked(online, demonstrated=0.0), *shown))

    def _shown(self, count: int) -> list[Batch]:
        """Of the prior data and a person's corrections, uniformly."""
        prior, corrections = len(self._prior), self._online.corrections
        share = corrections / (prior + corrections)
        corrected = int(self._rng.binomial(count, share)) if corrections else 0
        parts = []
        if corrected < count:
            parts.append(self._prior.sample(count - corrected, *self._returns))
        if corrected > 0:
            parts.append(self._online.sample(corrected, *self._returns, corrections=True))
        return [_marked(part, demonstrated=1.0) for part in parts]

    @property
    def _returns(self) -> tuple[int, float]:
        return self._rlpd_config.n_step, self._rlpd_config.discount

    def _sample_reached(self) -> Tensor:
        """The policy's states that a step of the classifier chooses its negatives from."""
        count = POOL * self._config.batch_size // 2
        return self._frames.augment(self._online.sample_next_frames(count))

    def _augmented(self, batch: Batch) -> Batch:
        augment = self._frames.augment
        return replace(batch, frames=augment(batch.frames), next_frames=augment(batch.next_frames))

    def _publish(self) -> None:
        self._published = self._governor.learned_steps
        data = to_bytes(self._agent.policy)
        self._publish_to(PolicySnapshot(self._agent.critic_steps, self._published, data))
        if self._vice:
            self._vice_source.publish(self._vice.classifier)

    def _save(self) -> None:
        if not self._agent or not self._checkpoints:
            return
        policy = self._agent.policy
        counters = {
            "spec": policy.spec.to_json(),
            "action_size": policy.action_size,
            "governor": self._governor.state(),
            "numpy": self._rng.bit_generator.state,
        }
        step, tensors, files = self._agent.critic_steps, self._agent.state(), {}
        if self._vice:
            tensors |= self._vice.state()
            files[REWARD_FILE] = classifier.to_bytes(self._vice.classifier)
        self._checkpoints.save(step, tensors, to_bytes(policy), counters, files)
        self._saved, self._saved_at = self._governor.learned_steps, self._clock()

    def _restore(self, checkpoint: Checkpoint) -> None:
        try:
            counters = checkpoint.counters
            shapes = ObservationSpec.from_json(counters["spec"]), counters["action_size"]
            prior = self._prior_transitions
            if prior and shapes != (found := self._shapes(prior[0])):
                raise ValueError(f"it has {shapes}, the prior data {found}")
            self._prepare(*shapes, checkpoint.tensors)
            self._governor.restore(counters["governor"])
            self._rng.bit_generator.state = counters["numpy"]
            self._saved = self._governor.learned_steps
        except ConfigError:  # not of the checkpoint: this machine's memory, this task's weights
            raise
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"{checkpoint.path}: does not fit this run: {reason}") from None

    def _state(self) -> TrainerState:
        if self._governor.waiting_for:
            return TrainerState.WAITING_FOR_DATA
        silent = self._clock() - self._arrived_at >= REPORT_PERIOD_S
        return TrainerState.PACED if silent and not self._governor.due else TrainerState.TRAINING

    def _report(self, state: TrainerState, message: str) -> None:
        critic_steps = self._agent.critic_steps if self._agent else 0
        learned_from = self._governor.env_steps - self._config.training_starts
        learned = critic_steps - self._warm_start_steps if self._agent else 0
        self._status.report(
            state,
            message,
            env_steps=self._governor.env_steps,
            critic_steps=critic_steps,
            actor_steps=self._agent.actor_steps if self._agent else 0,
            utd_ratio=learned / learned_from if learned_from > 0 else 0.0,
            online_size=len(self._online) if self._agent else 0,
            prior_size=len(self._prior) if self._agent else 0,
            reward_version=self._vice.classifier.version if self._vice else 0,
        )


def _marked(batch: Batch, demonstrated: float) -> Batch:
    return replace(batch, demonstrated=torch.full_like(batch.reward, demonstrated))
