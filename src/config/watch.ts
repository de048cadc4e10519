/**
 * Notices when the content of files changes, however it is changed: written in place, replaced by a rename as editors
 * do, deleted and made again, or by the swap of a symlink above it as Kubernetes does with mounted ConfigMaps. Events
 * of the directories on the way only say "look"; looking is comparing what `stat` says, then the content. Where there
 * are no events (network file systems, no inotify watches left) a slow poll looks instead.
 */
import { watch, type FSWatcher } from "node:fs";
import { readFile, readlink, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { digestOf, MISSING } from "./loaded-file.ts";
import type { LoadedFile } from "./loaded-file.ts";
import { MAX_CONFIG_BYTES } from "./text.ts";

/** How watching is paced. */
export interface WatchPace {
  /** After an event, and between looks until what is seen has settled. */
  readonly settleMs: number;
  /** Looks without any event. */
  readonly pollMs: number;
}

export const DEFAULT_PACE: WatchPace = { settleMs: 100, pollMs: 5_000 };

/** Looks that still see changes before what is there is taken as it is. */
const MAX_SETTLE_LOOKS = 20;
/** Symlinks on the way to a file, as the kernel has it. */
const MAX_LINKS = 40;

/** What a file was when it was last looked at; undefined: not known yet. */
interface FileState {
  readonly signature: string | undefined;
  readonly digest: string | undefined;
}

/**
 * Watches a configuration file.
 * @param onChange called when the content of a file is another than it was; load again and tell `setFiles`
 */
export function watchConfig(path: string, onChange: () => void, pace: WatchPace = DEFAULT_PACE): ConfigWatch {
  const watch = new ConfigWatch(onChange, pace);
  watch.setFiles([{ path: resolve(path), digest: undefined }]);
  return watch;
}

/** Watches the files of a configuration, and calls back when their content changes. */
export class ConfigWatch {
  readonly #onChange: () => void;
  readonly #pace: WatchPace;
  readonly #directories = new Map<string, { readonly watcher: FSWatcher; readonly inode: bigint }>();
  #states = new Map<string, FileState>();
  #looks = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #poll: NodeJS.Timeout;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(onChange: () => void, pace: WatchPace) {
    this.#onChange = onChange;
    this.#pace = pace;
    this.#poll = setInterval(() => this.#look(), pace.pollMs);
    this.#poll.unref();
  }

  /**
   * Watches these files, and no others, from now on. What was read of them is the measure, so a change between their
   * reading and this call is noticed.
   */
  setFiles(files: readonly LoadedFile[]): void {
    this.#states = new Map(files.map(({ path, digest }) => [path, { signature: undefined, digest }]));
    this.#look();
  }

  /** Stops; waits for a look that is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#timer);
    await this.#running;
    for (const { watcher } of this.#directories.values()) {
      watcher.close();
    }
    this.#directories.clear();
  }

  /** Events come in bursts; the first one starts the wait, and more of them do not prolong it. */
  #schedule(): void {
    if (this.#timer === undefined && !this.#closed) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#look();
      }, this.#pace.settleMs);
      this.#timer.unref();
    }
  }

  /** One look at a time. Looking does not throw: what cannot be read is a state like any other. */
  #look(): void {
    this.#running = this.#running.then(() => (this.#closed ? undefined : this.#compare()));
  }

  async #compare(): Promise<void> {
    const states = this.#states;
    await this.#watchDirectories(states.keys());
    let isUnsettled = false;
    for (const [path, state] of states) {
      const signature = await readSignature(path);
      if (signature !== state.signature) {
        isUnsettled = true;
        states.set(path, { signature, digest: state.digest });
      }
    }
    if (isUnsettled && this.#looks < MAX_SETTLE_LOOKS) {
      // Still being written, perhaps: take it once two looks see the same.
      this.#looks += 1;
      this.#schedule();
    } else if (this.#looks > 0) {
      this.#looks = 0;
      await this.#compareContent(states);
    }
  }

  async #compareContent(states: Map<string, FileState>): Promise<void> {
    let hasChanged = false;
    for (const [path, state] of states) {
      const digest = await readDigest(path, state.signature);
      hasChanged ||= state.digest !== undefined && digest !== state.digest;
      states.set(path, { signature: state.signature, digest });
    }
    // If other files are to be watched by now, they have been loaded since.
    if (hasChanged && states === this.#states && !this.#closed) {
      queueMicrotask(this.#onChange); // what it throws is not the watcher's to swallow
    }
  }

  /** Watches every directory in which a name on the way to a file can change, and no other. */
  async #watchDirectories(paths: Iterable<string>): Promise<void> {
    const wanted = new Set<string>();
    for (const path of paths) {
      await addDirectories(path, wanted);
    }
    for (const [directory, { watcher }] of this.#directories) {
      if (!wanted.has(directory)) {
        watcher.close();
        this.#directories.delete(directory);
      }
    }
    for (const directory of wanted) {
      await this.#watchDirectory(directory);
    }
  }

  async #watchDirectory(directory: string): Promise<void> {
    const found = await stat(directory, { bigint: true }).catch(() => undefined);
    const known = this.#directories.get(directory);
    if (known !== undefined && known.inode === found?.ino) {
      return;
    }
    // The directory was replaced, or is gone: its watcher sees nothing any more.
    known?.watcher.close();
    this.#directories.delete(directory);
    if (found === undefined || this.#closed) {
      return;
    }
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#schedule());
      watcher.on("error", () => this.#schedule());
      this.#directories.set(directory, { watcher, inode: found.ino });
    } catch {
      // No watches left, or a file system without them: the poll sees to it.
    }
  }
}

/** What `stat` says of a file: cheap, and different after any change. */
async function readSignature(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? MISSING : [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(" ");
}

/** Of a file too large to be a configuration, only what `stat` says counts. */
async function readDigest(path: string, signature: string | undefined): Promise<string | undefined> {
  if (signature === MISSING) {
    return MISSING;
  }
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > MAX_CONFIG_BYTES) {
    return signature;
  }
  return readFile(path).then(digestOf, () => signature);
}

/** Adds the directories of all links on the way to `path`, and its own. */
async function addDirectories(path: string, directories: Set<string>): Promise<void> {
  const pending = [resolve(path)];
  for (let links = 0; links < MAX_LINKS && pending.length > 0; links++) {
    const next = pending.pop() ?? "";
    directories.add(dirname(next));
    const link = await findLink(next);
    if (link !== undefined) {
      directories.add(dirname(link.at));
      pending.push(link.leadsTo);
    }
  }
}

/** The first symlink among the names of a path, and where the path leads through it. */
async function findLink(path: string): Promise<{ readonly at: string; readonly leadsTo: string } | undefined> {
  let prefix = "/";
  const names = path.split("/").filter((name) => name !== "");
  for (const [index, name] of names.entries()) {
    prefix = join(prefix, name);
    const target = await readlink(prefix).catch(() => undefined);
    if (target !== undefined) {
      return { at: prefix, leadsTo: resolve(dirname(prefix), target, ...names.slice(index + 1)) };
    }
  }
  return undefined;
}
