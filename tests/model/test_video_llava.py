"""Video-LLaVA-7B's own layout: what a folder holds is what runs, bit for bit, whatever its files are called."""

import json
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from safetensors import safe_open

from experiments import evaluate
from experiments.run.names import register_resolvers
from intpv.encoder.video_llava import unloaded
from intpv.kv_quant.kv_quant import NoQuant
from intpv.rearranger.contiguous import Contiguous
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.video_llm import VideoLLM

from ..pretended import pretended
from .original import LLM, PROMPT, SIZES, Original, read

ROOT = Path(__file__).parents[2]
CONF, GOLDEN = ROOT / "conf", ROOT / "tests/golden/languagebind.safetensors"
SHARED = ROOT.parent / "shared" / "golden"


@pytest.fixture(scope="module")
def original():
    return Original()


def same(model, original) -> bool:
    return all(
        torch.equal(got, expected.state_dict()[name])
        for module, expected in ((model.llm, original.llm), (model.encoder, original.encoder))
        for name, got in module.state_dict().items()
    )


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
@pytest.mark.parametrize(("shards", "index"), [(1, True), (3, True), (3, False)])
def test_round_trip_bit_for_bit(original, tmp_path, kind, shards, index):
    model = read(original.write(tmp_path, kind, shards, index))
    assert same(model, original)
    assert not any(p.requires_grad or p.is_meta for m in (model.llm, model.encoder) for p in m.parameters())
    pixels = torch.randn(2, 8, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(model.encoder(pixels), original.encoder(pixels))
        ids = torch.arange(40)[None]
        assert torch.equal(model.llm(ids).logits, original.llm(ids).logits)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_are_cast_and_tables_are_not(original, tmp_path, dtype):
    model = read(original.write(tmp_path), dtype=dtype)
    kind = getattr(torch, dtype)
    for module, expected in ((model.llm, original.llm), (model.encoder, original.encoder)):
        weights = expected.state_dict()
        assert all(torch.equal(got, weights[name].to(kind)) for name, got in module.state_dict().items())
    assert torch.equal(model.rotary.inv_freq, original.llm.model.rotary_emb.inv_freq)
    assert model.llm.dtype == kind


def test_the_tower_may_come_from_its_own_repository(original, tmp_path):
    apart = Original()
    tower = apart.write_tower(tmp_path / "tower")
    assert same(read(apart.write(tmp_path / "main"), video_tower=str(tower)), original)


def test_a_tower_from_elsewhere_replaces_the_one_in_the_checkpoint(original, tmp_path):
    other = Original()
    for key in other.weights:
        if "video_tower" in key and other.weights[key].is_floating_point():
            other.weights[key] = other.weights[key] + 1
    folder = other.write(tmp_path / "main")
    tower = Original().write_tower(tmp_path / "tower")
    assert same(read(folder, video_tower=str(tower)), original)


def reference(full: bool):
    if not full:
        with safe_open(GOLDEN, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return {key.removeprefix("tower."): v for key, v in tensors.items() if key.startswith("tower.")}, tensors
    if not SHARED.is_dir():
        pytest.skip("the full reference files (../shared/golden) are not here; the reduced one is always tested")
    from safetensors.torch import load_file

    return tuple(load_file(SHARED / f"languagebind_a.{part}.safetensors") for part in ("weights", "io"))


@pytest.mark.parametrize("full", [False, True])
def test_golden_features_through_the_whole_loader(tmp_path, full):
    """The original tower's outputs; strided and contiguous, as the rearrangers split and merge."""
    weights, tensors = reference(full)
    model = read(Original(weights).write(tmp_path, "bin", 3))
    compared = 0
    for frames in (8, 16, 32):
        for mode, rearranger in (("whole", Contiguous()), ("contiguous", Contiguous()), ("strided", Strided())):
            if (key := f"{mode}.t{frames}.layer_m2") not in tensors:
                continue
            for clip, expected in zip(tensors[f"pixel_values.t{frames}"], tensors[key], strict=True):
                table = rearranger.order(frames, 8)
                pixels = clip if clip.shape[0] == frames else clip.transpose(0, 1)
                with torch.inference_mode():
                    states = model.encoder.features(rearranger.split(pixels, table))
                assert (rearranger.merge(states, table) - expected).abs().max() < 1e-5
                compared += 1
    assert compared >= 3


def test_frames_beyond_eight_and_the_question_survive_the_original_limits(original, tmp_path):
    """16 frames are 272 visual tokens; the original would keep 128 tokens and 8 frames, and lose the question."""
    model = read(original.write(tmp_path))
    llm = VideoLLM(model, Strided(), NoScaling(), NoQuant(), 4)
    frames = torch.randint(0, 256, (16, 3, 40, 48), dtype=torch.uint8)
    context = llm.watch(frames, torch.arange(16.0))
    assert context.layout.visual_length == 16 * 17
    one, other = llm.ask(context, ["Which color flashed first?", "What is on the table?"])
    assert (one.logits - other.logits).abs().max() > 1e-3
    other_end = torch.cat([frames[:15], 255 - frames[15:]])
    assert not torch.equal(llm.ask(llm.watch(other_end, torch.arange(16.0)), ["What?"])[0].logits, one.logits)


def test_logits_are_those_of_one_forward_pass_over_the_original_sequence(original, tmp_path):
    """The sequence as the original builds it: the text split at the placeholders, each piece cut into tokens alone."""
    model = read(original.write(tmp_path))
    frames, question = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8), "What is on the table?"
    llm = VideoLLM(model, Strided(), NoScaling(), NoQuant(), 1)
    answer = llm.ask(llm.watch(frames, torch.arange(8.0)), [question])[0]
    text = PROMPT.before_video + "<image>" * 8 + PROMPT.question(question)
    pieces = [original.words(piece, add_special_tokens=False).input_ids for piece in text.split("<image>")]
    ids = [torch.tensor(piece, dtype=torch.long) for piece in pieces]
    ids[0] = torch.cat([torch.tensor([1]), ids[0]])
    embed = original.llm.get_input_embeddings()
    with torch.inference_mode():
        visual = original.encoder(model.preprocess(frames)[None])[0]
        parts = [embed(ids[0])]
        for frame, piece in zip(visual, ids[1:], strict=True):
            parts += [frame, embed(piece)]
        expected = original.llm(inputs_embeds=torch.cat(parts)[None]).logits[0, -1]
    torch.testing.assert_close(answer.logits, expected, atol=1e-4, rtol=0)


def overrides(*extra: str) -> list[str]:
    sizes = [f"encoder.{key}={value}" for key, value in SIZES.items()]
    return ["model=video_llava_7b", *sizes, "model.dtype=float32", "model.device=cpu", *extra]


@pytest.fixture(scope="module")
def configured():
    register_resolvers()

    def composed(*given: str) -> dict:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return OmegaConf.to_container(compose("config", list(given)), resolve=True)

    return composed


def test_the_prompt_is_the_one_of_the_evaluation_scripts(configured):
    """llava_v1, from the layout notes; its newline belongs to the piece that holds the question."""
    prompt = instantiate(configured("model=video_llava_7b")["model"]["prompt"])
    assert prompt.before_video + "<image>" * 2 + prompt.after_video + prompt.question("QUESTION") == (
        "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, "
        "detailed, and polite answers to the human's questions. USER: <image><image>\nQUESTION ASSISTANT:"
    )
    assert prompt.after_video == ""


def test_random_weights_need_no_checkpoint_and_the_seed_is_all_that_matters(configured):
    llm = [f"model.llm.{key}={value}" for key, value in LLM.items() if key != "hidden_size"]

    def drawn(seed: int):
        config = configured(*overrides("model.weights=random", "model.path=nowhere", f"seed={seed}", *llm))
        torch.rand(seed + 1)
        model = instantiate(config["model"], encoder=instantiate(config["encoder"]))
        return model, torch.cat([p.flatten() for m in (model.llm, model.encoder) for p in m.parameters()])

    (model, first), (_, again), (_, other) = drawn(0), drawn(0), drawn(1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.isfinite().all()
    video_llm = VideoLLM(model, Strided(), NoScaling(), NoQuant(), 2)
    frames = torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8)
    assert video_llm.ask(video_llm.watch(frames, torch.arange(16.0)), ["Did red flash?"])[0].logits.isfinite().all()


def test_sizes_of_random_weights_are_the_paper_s(configured):
    """6,738,417,664 values less 32 tables of 64 in the language model, and 404,187,136 in the tower (layout notes)."""
    from transformers import LlamaForCausalLM

    from intpv.encoder.weightless import weightless
    from intpv.model.loading.config_json import llama_config

    config = configured("model=video_llava_7b")
    with weightless():
        llm = LlamaForCausalLM(llama_config(config["model"]["llm"], "model.llm"))
    encoder = instantiate(config["encoder"])
    count = {name: sum(p.numel() for p in m.parameters()) for name, m in (("llm", llm), ("tower", encoder.tower))}
    assert count == {"llm": 6_738_417_664 - 32 * 64, "tower": 404_187_136}
    assert sum(p.numel() for p in encoder.projector.parameters()) == 20_979_712
    assert (encoder.group_length, encoder.tokens_per_frame) == (8, 257)


@pytest.fixture
def evaluated(original, tmp_path, monkeypatch):
    """Metrics and samples of a cell, from the command line."""
    folder = original.write(tmp_path / "model", "safetensors", 3)

    def run(sweep: str, *given: str) -> tuple[dict, str]:
        here = [f"data.root={tmp_path / 'clips'}", "data.limit=2", "logger=none", "cache=off", "frames=16"]
        own = overrides(f"model.path={folder}", *here, f"sweep.name={sweep}", "trainer.threads=1")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["evaluate", *own, *given])
        with pytest.raises(SystemExit) as ended:
            evaluate.main()
        assert ended.value.code == 0
        (cell,) = (tmp_path / "runs" / sweep).glob("*/metrics.json")
        return json.loads(cell.read_text()), cell.with_name("samples.jsonl").read_text()

    return run


@pytest.mark.slow
def test_evaluate_from_the_command_line(evaluated):
    found, _ = evaluated("x")
    assert (found["coverage"], found["groups"], found["rearrangement_is_noop"]) == (1, 2, 0)
    assert found["kv/full_precision_bytes"] > 16 * 17 * 2 * 2 * 48 * 4


@pytest.mark.slow
def test_a_cell_over_two_devices_is_the_cell_on_one(evaluated):
    """Through Lightning, which moves a model that is on one."""
    given = ["kv_quant=int2", "kv_quant.value_group=12", "measure=[full,signatures]"]
    metrics, samples = evaluated("one", *given)
    with pretended():
        spread_metrics, spread_samples = evaluated("two", *given, "model.device=[meta:0,meta:1]")
    assert spread_samples == samples
    assert {name for name in metrics if not name.startswith(("time/", "memory/"))} <= spread_metrics.keys()
    for name, value in spread_metrics.items():
        if not name.startswith(("time/", "memory/")):
            assert value == metrics[name], name


def test_an_encoder_of_this_size_costs_nothing_before_it_is_loaded():
    encoder = unloaded(**SIZES)
    assert all(p.is_meta for p in encoder.parameters())
    assert not any(b.is_meta for b in encoder.buffers())
