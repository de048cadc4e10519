import { join } from "node:path";
import { spawnGroup } from "./processes.ts";
import type { Cores, ProcessGroup } from "./processes.ts";
import type {
  Envelope,
  LoadCommand,
  LoadJob,
  LoadStats,
  Reply,
  Rest,
  UpstreamCommand,
  UpstreamMode,
  UpstreamStats,
} from "./protocol.ts";

const COMMAND_TIMEOUT_MS = 60_000;

type Message<Kind extends Envelope = Envelope> = Kind extends Envelope ? Omit<Kind, "id"> : never;

/** The process of load generator and upstream, and the way to ask it things. */
export class Helper {
  readonly load: Load;
  readonly upstream: Upstream;
  readonly #group: ProcessGroup;
  readonly #waiting = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }
  >();
  #lastId = 0;

  private constructor(group: ProcessGroup, port: number) {
    this.#group = group;
    this.load = new Load(this);
    this.upstream = new Upstream(this, port);
    group.child.on("message", (message) => this.#settle(message as Reply));
    group.child.on("exit", () => {
      for (const { reject } of this.#waiting.values()) {
        reject(new Error(`helper process ended: ${group.lastWords()}`));
      }
    });
  }

  /** Starts it, with the upstream on a port of 127.0.0.1. */
  static async start(port: number, cores: Cores, folder: string): Promise<Helper> {
    const script = "both-sides.ts";
    const group = spawnGroup({
      command: [process.execPath, join(import.meta.dirname, script), String(port)],
      cores,
      cwd: folder,
      logFile: join(folder, `${script}.log`),
      ipc: "ipc",
    });
    const helper = new Helper(group, port);
    await helper.#expect(0);
    return helper;
  }

  /** Whether it sleeps while nothing comes in. */
  async rest(rest: Rest): Promise<void> {
    await this.ask({ to: "process", command: rest });
  }

  async ask(message: Message): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = this.#expect(id);
    this.#group.child.send({ id, ...message } satisfies Envelope);
    return answer;
  }

  #expect(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error("the helper process does not answer"));
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
      waiting?.resolve(reply.value);
    } else {
      waiting?.reject(new Error(reply.error));
    }
  }
}

/** The load generator, from the bench's side. */
export class Load {
  readonly #helper: Helper;

  constructor(helper: Helper) {
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
  readonly #helper: Helper;

  constructor(helper: Helper, port: number) {
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
