"""Quality signals: the native pass against the plain Python definition, one core each."""

from __future__ import annotations

from _results import Row, alternate, seconds, write
from _texts import texts

from openhearth.data import compute
from openhearth.data.signals import SIGNALS, native_available


def main() -> None:
    documents = [text for text in texts() if text.isascii()]
    megabytes = sum(map(len, documents)) / 1e6
    few = documents[::10]
    share = sum(map(len, few)) / 1e6
    if not native_available():
        raise SystemExit("The native extension is not built: install a C++ compiler, then again.")
    ours, peer = alternate(
        lambda: megabytes / seconds(lambda: compute(documents)),
        lambda: share / seconds(lambda: compute(few, native=False)),
        rounds=5,
    )
    work = f"{len(SIGNALS)} signals of {len(documents)} functions"
    write("signals", [Row(work, "MB/s", ours, peer, "plain Python reference", goal=5.0)])


if __name__ == "__main__":
    main()
