"""SERL's pickle, made here with random numbers, against its network written out in NumPy."""

import os
import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest
import torch

from serl_learner.config import ConfigError
from serl_learner.serl_weights import convert_serl_weights, to_torch


def serl_tree() -> dict:
    """The parameters as flax names and orders them: kernels are (height, width, in, out)."""
    rng = np.random.default_rng(0)

    def conv(size, inputs, outputs):
        std = (2 / (size * size * inputs)) ** 0.5
        return {"kernel": (std * rng.standard_normal((size, size, inputs, outputs))).astype("f4")}

    def norm(features):
        scale, bias = rng.uniform(0.5, 1.5, features), rng.normal(size=features)
        return {"scale": scale.astype("f4"), "bias": bias.astype("f4")}

    tree = {"conv_init": conv(7, 3, 64), "norm_init": norm(64)}
    for i, (inputs, outputs) in enumerate([(64, 64), (64, 128), (128, 256), (256, 512)]):
        block = {"Conv_0": conv(3, inputs, outputs), "MyGroupNorm_0": norm(outputs)}
        block |= {"Conv_1": conv(3, outputs, outputs), "MyGroupNorm_1": norm(outputs)}
        if inputs != outputs:
            block |= {"conv_proj": conv(1, inputs, outputs), "norm_proj": norm(outputs)}
        tree[f"ResNetBlock_{i}"] = block
    tree["output_head"] = {"kernel": np.zeros((512, 10), "f4"), "bias": np.zeros(10, "f4")}
    return tree


def windows(x, size, stride, before, after, fill):
    """(H, W, C) -> (h, w, size, size, C)"""
    x = np.pad(x, [*zip(before, after, strict=True), (0, 0)], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(0, 1))
    return view[::stride, ::stride].transpose(0, 1, 3, 4, 2)


def same(x, size, stride, fill=0.0):
    """Windows such that as many come out as strides begin; an odd rest of padding goes behind."""
    totals = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[:2]]
    before = [total // 2 for total in totals]
    after = [total - b for total, b in zip(totals, before, strict=True)]
    return windows(x, size, stride, before, after, fill)


def conv(x, parameters, stride=1):
    kernel = parameters["kernel"]
    return np.tensordot(same(x, len(kernel), stride), kernel, axes=3)


def norm(x, parameters):
    groups = x.reshape(*x.shape[:2], 4, -1)
    mean, var = groups.mean((0, 1, 3), keepdims=True), groups.var((0, 1, 3), keepdims=True)
    normalized = ((groups - mean) / np.sqrt(var + 1e-5)).reshape(x.shape)
    return normalized * parameters["scale"] + parameters["bias"]


def relu(x):
    return np.maximum(x, 0)


def serl_features(tree, image):
    """(H, W, 3) uint8 -> (h, w, 512), as resnet10 of the paper computes it"""
    x = (image / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    x = windows(x, 7, 2, (3, 3), (3, 3), 0.0)
    x = relu(norm(np.tensordot(x, tree["conv_init"]["kernel"], axes=3), tree["norm_init"]))
    x = same(x, 3, 2, fill=-np.inf).max((2, 3))
    for i in range(4):
        block, stride = tree[f"ResNetBlock_{i}"], 1 if i == 0 else 2
        y = relu(norm(conv(x, block["Conv_0"], stride), block["MyGroupNorm_0"]))
        y = norm(conv(y, block["Conv_1"]), block["MyGroupNorm_1"])
        if i > 0:
            x = norm(conv(x, block["conv_proj"], stride), block["norm_proj"])
        x = relu(x + y)
    return x


@pytest.fixture(scope="module")
def tree() -> dict:
    return serl_tree()


def written(tmp_path, tree, protocol=4):
    path = tmp_path / "resnet10_params.pkl"
    path.write_bytes(pickle.dumps(tree, protocol))
    return path


def test_same_windows_by_hand():
    x = np.arange(1.0, 5.0).reshape(1, 4, 1)  # one row: 1 2 3 4
    assert same(x, 3, 2)[0, :, 1, :, 0].tolist() == [[1, 2, 3], [3, 4, 0]]
    assert same(x[:, :3], 3, 2)[0, :, 1, :, 0].tolist() == [[0, 1, 2], [2, 3, 0]]
    assert same(x, 3, 1)[0, :, 1, :, 0].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 0]]


def test_kernel_of_a_convolution():
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(5, 4, 2)), rng.normal(size=(3, 3, 2, 6))
    image = torch.from_numpy(x).float().permute(2, 0, 1)[None]
    y = torch.nn.functional.conv2d(image, to_torch(kernel), padding=1)[0].permute(1, 2, 0)
    np.testing.assert_allclose(y.numpy(), conv(x, {"kernel": kernel}), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(64, 32), (50, 35)])  # even all the way down, not
def test_features_are_serls(tree, tmp_path, height, width):
    output = tmp_path / "resnet10.safetensors"
    backbone = convert_serl_weights(written(tmp_path, tree), output)
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    features = backbone(torch.from_numpy(image)[None])[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(features, serl_features(tree, image), rtol=1e-3, atol=1e-4)
    assert output.is_file()


class Foreign:
    """Pickles as a call of a function that is not installed here."""

    def __init__(self, module, name, *arguments):
        self.function = types.FunctionType((lambda *_: None).__code__, {}, name)
        self.function.__module__, self.function.__qualname__ = module, name
        self.arguments = arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.fixture
def foreign(monkeypatch):
    def make(module, name, *arguments):
        made = Foreign(module, name, *arguments)
        parts = module.split(".")
        for i in range(1, len(parts) + 1):
            monkeypatch.setitem(sys.modules, ".".join(parts[:i]), types.ModuleType(parts[i - 1]))
        setattr(sys.modules[module], name, made.function)
        return made

    return make


@pytest.mark.parametrize("kind", ["ordered", "protocol 5", "numpy 1", "flax", "jax"])
def test_containers_and_arrays_of_all_kinds(tree, tmp_path, foreign, kind):
    expected = convert_serl_weights(written(tmp_path, tree), tmp_path / "a.safetensors").digest
    protocol = {"protocol 5": 5, "numpy 1": 3}.get(kind, 4)
    path = written(tmp_path, OrderedDict(tree), protocol)
    if kind == "numpy 1":  # in protocol 3, names stand as they are, without their lengths
        path.write_bytes(path.read_bytes().replace(b"numpy._core", b"numpy.core"))
        assert b"cnumpy.core.multiarray\n_reconstruct" in path.read_bytes()
    elif kind == "flax":
        written(tmp_path, foreign("flax.core.frozen_dict", "FrozenDict", tree))
    elif kind == "jax":
        array = tree["norm_init"]["scale"]
        jax = foreign("jax._src.array", "_reconstruct_array", *array.__reduce__(), {})
        written(tmp_path, tree | {"norm_init": tree["norm_init"] | {"scale": jax}})
    assert convert_serl_weights(path, tmp_path / "b.safetensors").digest == expected


def refusal(tmp_path, path) -> str:
    with pytest.raises(ConfigError) as error:
        convert_serl_weights(path, tmp_path / "out.safetensors")
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    assert not (tmp_path / "out.safetensors").exists()
    return message.removeprefix(f"{path}: ")


class Evil:
    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_program_in_the_pickle_is_refused_and_not_run(tree, tmp_path):
    path = written(tmp_path, tree | {"zzz": Evil(tmp_path / "ran")})
    message = f"refused: expected arrays in dictionaries, got {os.system.__module__}.system"
    assert refusal(tmp_path, path) == message
    assert not (tmp_path / "ran").exists()
    pickle.loads(path.read_bytes())  # it is a program indeed
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t["norm_init"].pop("bias"),
            "norm_init/bias: expected a tensor (64,), got none",
        ),
        (
            lambda t: t["ResNetBlock_1"]["conv_proj"].update(
                kernel=np.zeros((1, 1, 128, 64), "f4")
            ),
            "ResNetBlock_1/conv_proj/kernel: expected a tensor (1, 1, 64, 128),"
            " got (1, 1, 128, 64)",
        ),
        (
            lambda t: t["conv_init"].update(bias=np.zeros(64, "f4")),
            "conv_init/bias: expected no such tensor",
        ),
        (
            lambda t: t["norm_init"].update(bias=np.zeros(64, int)),
            "norm_init/bias: expected floats, got int64",
        ),
        (
            lambda t: t["norm_init"].update(bias=np.full(64, np.nan, "f4")),
            "norm_init/bias: expected finite numbers, got nan or inf",
        ),
        (
            lambda t: t["norm_init"].update(bias=[0.0, 0.0]),
            "norm_init/bias: expected arrays in dictionaries, got list",
        ),
    ],
)
def test_parameters_that_do_not_fit(tmp_path, change, message):
    tree = serl_tree()
    change(tree)
    assert refusal(tmp_path, written(tmp_path, tree)) == message


def test_files_that_are_no_pickle(tree, tmp_path):
    assert refusal(tmp_path, tmp_path / "no.pkl") == "no such file"
    assert refusal(tmp_path, tmp_path).startswith("cannot be read: ")
    path = written(tmp_path, tree)
    for content in (b"", b"hello", path.read_bytes()[:5000]):
        path.write_bytes(content)
        assert refusal(tmp_path, path).startswith("not a pickle: ")
    assert refusal(tmp_path, written(tmp_path, 3)) == "expected arrays in dictionaries, got int"
