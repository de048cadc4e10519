/** Where the loader's snapshots come from: a watched file, or the built-in configuration. */
import type { Snapshot } from "../config/snapshot.ts";
import { loadConfig } from "../config/load.ts";
import { ConfigError, formatProblem } from "../config/problem.ts";
import { watchConfig, type ConfigWatch } from "../config/watch.ts";
import { zeroConfig } from "../config/zero-config.ts";
import { MODEL_FILTERS, REQUEST_FILTERS } from "../filters/builtin.ts";
import type { LoaderStart } from "./messages.ts";
import { messageOf } from "../lib/thrown.ts";

/** Takes a snapshot that was read. What it throws is reported, and the running configuration stays. */
export type Publish = (snapshot: Snapshot, warnings: readonly string[], startedAt: number) => Promise<void>;

/** An open source of snapshots. */
export interface OpenConfig {
  /** Reads it again, whether it changed or not. */
  reload(): void;
}

/** @param onFailure told of what is wrong, in words for people */
export function openConfig(start: LoaderStart, publish: Publish, onFailure: (message: string) => void): OpenConfig {
  let watch: ConfigWatch | undefined;
  let loading = false;
  let again = false;

  async function load(): Promise<void> {
    const startedAt = performance.now();
    try {
      const { snapshot, warnings } = read();
      await publish(override(snapshot, start), warnings, startedAt);
    } catch (error) {
      onFailure(messageOf(error));
    }
  }

  function read(): { snapshot: Snapshot; warnings: readonly string[] } {
    const { source } = start;
    if (source.kind === "builtin") {
      return zeroConfig({ keyHash: source.firstKeyHash, environment: process.env });
    }
    watch ??= watchConfig(source.path, () => {
      reload();
    });
    try {
      const { snapshot, warnings, files } = loadConfig(source.path, {
        filters: { request: REQUEST_FILTERS, model: MODEL_FILTERS },
      });
      watch.setFiles(files);
      return { snapshot, warnings: warnings.map(formatProblem) };
    } catch (error) {
      if (error instanceof ConfigError) {
        watch.setFiles(error.files);
      }
      throw error;
    }
  }

  /** One load at a time; what comes meanwhile makes one more afterwards. */
  function reload(): void {
    if (loading) {
      again = true;
      return;
    }
    loading = true;
    void load().then(() => {
      loading = false;
      if (again) {
        again = false;
        reload();
      }
    });
  }

  return { reload };
}

/** What the command line says wins over what is configured. */
function override(snapshot: Snapshot, start: LoaderStart): Snapshot {
  const { server } = snapshot;
  return {
    ...snapshot,
    admin: { ...snapshot.admin, listen: start.adminListen ?? snapshot.admin.listen },
    server: { ...server, listen: start.listen ?? server.listen, workers: start.workers ?? server.workers },
  };
}
