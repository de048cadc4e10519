/** The main thread's knowledge of prompts, for the admin port: read from the snapshot in use when somebody asks. */
import { PromptCatalogue } from "../engine/prompt-catalogue.ts";
import type { SharedSnapshot } from "./messages.ts";
import { runInSlices } from "../lib/slices.ts";
import { decodeSnapshot } from "./snapshot-parts.ts";

/** Milliseconds for which reading a snapshot may hold the main thread at a time. */
const SLICE_MS = 4;

/** Keeps the catalogue of the snapshot that was asked for last. */
export class PromptDesk {
  #version: string | undefined;
  #catalogue: Promise<PromptCatalogue> | undefined;

  catalogueOf(snapshot: SharedSnapshot): Promise<PromptCatalogue> {
    if (this.#catalogue === undefined || this.#version !== snapshot.version) {
      this.#version = snapshot.version;
      this.#catalogue = runInSlices(readCatalogue(snapshot), SLICE_MS).then(({ result }) => result);
    }
    return this.#catalogue;
  }
}

function* readCatalogue({ parts }: SharedSnapshot): Generator<undefined, PromptCatalogue> {
  const { version, templates, domains } = yield* decodeSnapshot(parts);
  // the rest of the snapshot need not be kept
  return yield* PromptCatalogue.build({ version, templates, domains });
}
