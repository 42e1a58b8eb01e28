"""embed: a vector for each text, taken from the vector store where it was embedded before."""

from entropyguard.runtime import Counts, StageRun, run_stage

STAGE_VERSION = 2


def work(run: StageRun) -> Counts:
    from entropyguard.core.embed import embed_texts
    from entropyguard.core.encoder import load_encoder
    from entropyguard.core.model import check_fingerprint, resolve_model
    from entropyguard.core.screening import NOT_ASKED, Screener

    folder = resolve_model(run.params.embed.model, allow_download=run.allow_download)
    check_fingerprint(folder, run.params.embed.model_fingerprint)
    encoder = load_encoder(folder, run.threads, run.params.embed.precision)
    max_windows = run.params.embed.max_windows
    after_exact, out, store = (
        run.input("after_exact_dedup.parquet"),
        run.output("embeddings.parquet"),
        run.vector_store(),
    )
    screening = NOT_ASKED
    if run.params.semantic.screening == "auto":
        static = run.static_store()
        screener = Screener(
            encoder, max_windows, run.params.search, store, static, out.parent, run.threads, run.progress
        )
        screening = screener.screen(after_exact)
    counts = embed_texts(after_exact, out, encoder, max_windows, store, run.progress, screening)
    return {
        "embedded": counts.embedded,
        "reused": counts.reused,
        "unreadable": counts.unreadable,
        "over_long": counts.over_long,
        "screened": counts.screened,
    }


if __name__ == "__main__":
    run_stage("embed", STAGE_VERSION, work)
