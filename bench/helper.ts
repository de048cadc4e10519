import { basename, join } from "node:path";
import { spawnGroup } from "./processes.ts";
import type { Cores, ProcessGroup } from "./processes.ts";
import type {
  Envelope,
  LoadCommand,
  LoadJob,
  LoadStats,
  Reply,
  Rest,
  ToBothSides,
  UpstreamCommand,
  UpstreamMode,
  UpstreamStats,
} from "./protocol.ts";

const COMMAND_TIMEOUT_MS = 60_000;

/** A helper process and the way to ask it things. */
export class Helper<Command, Answer> {
  readonly group: ProcessGroup;
  readonly #waiting = new Map<
    number,
    { readonly resolve: (value: Answer) => void; readonly reject: (error: Error) => void }
  >();
  #lastId = 0;

  constructor(group: ProcessGroup) {
    this.group = group;
    group.child.on("message", (message) => this.#settle(message as Reply));
    group.child.on("exit", () => {
      for (const { reject } of this.#waiting.values()) {
        reject(new Error(`helper process ended: ${group.lastWords()}`));
      }
    });
  }

  async ready(): Promise<void> {
    await this.#expect(0);
  }

  async ask(command: Command): Promise<Answer> {
    const id = ++this.#lastId;
    const answer = this.#expect(id);
    this.group.child.send({ id, command } satisfies Envelope<Command>);
    return answer;
  }

  #expect(id: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error("a helper process does not answer"));
      }, COMMAND_TIMEOUT_MS);
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      this.#waiting.set(id, {
        resolve: (value) => (settle(), resolve(value)),
        reject: (error) => (settle(), reject(error)),
      });
    });
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (reply.error === undefined) {
      waiting?.resolve(reply.value as Answer);
    } else {
      waiting?.reject(new Error(reply.error));
    }
  }
}

/** Starts a helper process, and waits until it takes commands. */
export async function startHelper<Command, Answer>(
  script: string,
  args: readonly string[],
  cores: Cores,
  folder: string,
): Promise<Helper<Command, Answer>> {
  const group = spawnGroup({
    command: [process.execPath, join(import.meta.dirname, script), ...args],
    cores,
    cwd: folder,
    logFile: join(folder, `${basename(script)}.log`),
    ipc: "ipc",
  });
  const helper = new Helper<Command, Answer>(group);
  await helper.ready();
  return helper;
}

type Process = Helper<ToBothSides, unknown>;

/** The process of load generator and upstream. */
export class BothSides {
  readonly load: Load;
  readonly upstream: Upstream;
  readonly #helper: Process;

  private constructor(helper: Process, port: number) {
    this.#helper = helper;
    this.load = new Load(helper);
    this.upstream = new Upstream(helper, port);
  }

  /** Starts it, with the upstream on a port of 127.0.0.1. */
  static async start(port: number, cores: Cores, folder: string): Promise<BothSides> {
    return new BothSides(await startHelper("both-sides.ts", [String(port)], cores, folder), port);
  }

  get group(): ProcessGroup {
    return this.#helper.group;
  }

  /** Whether it sleeps while nothing comes in. */
  async rest(rest: Rest): Promise<void> {
    await this.#helper.ask({ to: "process", command: rest });
  }
}

/** The load generator, from the bench's side. */
export class Load {
  readonly #helper: Process;

  constructor(helper: Process) {
    this.#helper = helper;
  }

  async begin(job: LoadJob): Promise<void> {
    await this.#ask({ kind: "start", job });
  }

  stats(): Promise<LoadStats> {
    return this.#ask({ kind: "stats" });
  }

  stop(graceMs = 15_000): Promise<LoadStats> {
    return this.#ask({ kind: "stop", graceMs });
  }

  #ask(command: LoadCommand): Promise<LoadStats> {
    return this.#helper.ask({ to: "load", command }) as Promise<LoadStats>;
  }
}

/** The upstream, from the bench's side. */
export class Upstream {
  readonly port: number;
  readonly #helper: Process;

  constructor(helper: Process, port: number) {
    this.#helper = helper;
    this.port = port;
  }

  setMode(mode: UpstreamMode): Promise<UpstreamStats> {
    return this.#ask({ kind: "mode", mode });
  }

  finish(): Promise<UpstreamStats> {
    return this.#ask({ kind: "finish" });
  }

  stats(): Promise<UpstreamStats> {
    return this.#ask({ kind: "stats" });
  }

  #ask(command: UpstreamCommand): Promise<UpstreamStats> {
    return this.#helper.ask({ to: "upstream", command }) as Promise<UpstreamStats>;
  }
}
