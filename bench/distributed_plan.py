"""A 70B model on 64 GPUs, on paper: what save_patch sends, needs and takes, beside a full save.

    python bench/distributed_plan.py [--gbit 100] [--disk 2] [--cores 32]

Nothing is run. The constants are what `bench/distributed.py memory` printed (docs/distributed.md); the network, the
disk and the cores of rank 0's machine are assumed. Prints a table in Markdown.
"""

import argparse

# Llama 3 70B: layers, width, width of keys and values, of the MLP, vocabulary.
LAYERS, WIDTH, KEYS, INNER, WORDS = 80, 8192, 1024, 28672, 128256
ATTENTION = LAYERS * (2 * WIDTH * WIDTH + 2 * KEYS * WIDTH)
GATE_UP = LAYERS * 2 * INNER * WIDTH
ALL = ATTENTION + LAYERS * (3 * INNER * WIDTH + 2 * WIDTH) + 2 * WORDS * WIDTH + WIDTH

# Measured: processor seconds by GB of tuned tensors, or of the base; memory by the largest tensor.
ASIDE, MAKING, HASHING, MEMORY = 2.79, 41.42, 0.86, 277 / 268
# The most threads that the library uses.
THREADS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=64)
    parser.add_argument("--gbit", type=float, default=100, help="network of rank 0's machine")
    parser.add_argument("--disk", type=float, default=2, help="disk of rank 0's machine, GB/s")
    parser.add_argument("--cores", type=int, default=32)
    options = parser.parse_args()
    network = options.gbit / 8
    cores = min(options.cores, THREADS)
    model = ALL * 2 / 1e9
    away = (options.ranks - 1) / options.ranks
    print(f"{ALL / 1e9:.1f} billion weights in bf16 on {options.ranks} GPUs; assumed: {options.gbit:g} Gbit/s and "
          f"{options.disk:g} GB/s of disk at rank 0, {cores} threads\n\n"
          "| | save_patch, sa-proj | save_patch, gate-up | full save |\n|---|---|---|---|")
    rows: list[list[str]] = [[], [], [], [], [], []]
    for weights, widest in ((ATTENTION, WIDTH * WIDTH), (GATE_UP, INNER * WIDTH)):
        tuned, largest = weights * 2 / 1e9, widest * 2 / 1e9
        gather = tuned * away / network
        aside = max(tuned * ASIDE, tuned / options.disk)
        # The base is read once, and what was set aside.
        finish = max((model * HASHING + tuned * (MAKING - HASHING)) / cores, (model + tuned) / options.disk)
        for row, text in zip(rows, (
                f"{tuned:.1f} GB", f"{tuned * away:.1f} GB", f"{tuned * away:.1f} GB",
                f"{largest * MEMORY:.2f} GB", f"{gather:.0f} s", f"{gather + aside + finish:.0f} s"), strict=True):
            row.append(text)
    gather = model * away / network
    for row, text in zip(rows, (
            f"{model:.1f} GB", f"{model * away:.1f} GB", f"{model * away * options.ranks:,.0f} GB", f"{model:.0f} GB",
            f"{gather:.0f} s", f"{gather + model / options.disk:.0f} s"), strict=True):
        row.append(text)
    labels = ("tensors", "received by rank 0", "received by all ranks", "memory of rank 0, in the processor's",
              "time of the gathering, at the network's speed", "time of all")
    for label, row in zip(labels, rows, strict=True):
        print(f"| {label} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
