/** The main thread's side of questions about what is used: the loader's thread answers them. */
import type { FromLoader, ToLoader, UsageAnswer, UsageQuestion } from "./messages.ts";

/** Questions that wait at one time; a person or a few tools ask. */
const MAX_WAITING = 64;
/** Before the admin port gives its client up. The loader may be reading a large file. */
const ANSWER_MS = 8_000;

/** Nobody can answer now; the message says why and what to do. */
export class UsageUnavailable extends Error {
  override readonly name = "UsageUnavailable";
}

interface Waiting {
  readonly resolve: (answer: UsageAnswer) => void;
  readonly reject: (error: UsageUnavailable) => void;
  readonly timer: NodeJS.Timeout;
}

/** Questions and their answers. */
export class UsageDesk {
  readonly #send: (message: ToLoader) => void;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #closed: string | undefined;

  constructor(send: (message: ToLoader) => void) {
    this.#send = send;
  }

  /** @throws UsageUnavailable */
  ask(question: UsageQuestion): Promise<UsageAnswer> {
    if (this.#closed !== undefined) {
      return Promise.reject(new UsageUnavailable(this.#closed));
    }
    if (this.#waiting.size >= MAX_WAITING) {
      const message = `${MAX_WAITING} questions about usage wait for their answers already; ask again in a moment`;
      return Promise.reject(new UsageUnavailable(message));
    }
    const { promise, resolve, reject } = Promise.withResolvers<UsageAnswer>();
    const id = ++this.#lastId;
    const timer = setTimeout(() => {
      this.#waiting.delete(id);
      reject(new UsageUnavailable("the configuration is being read, which takes long; ask again in a moment"));
    }, ANSWER_MS);
    this.#waiting.set(id, { resolve, reject, timer });
    this.#send({ kind: "usage", id, question });
    return promise;
  }

  /** Takes an answer; one that comes too late is nobody's. */
  answered({ id, answer }: Extract<FromLoader, { kind: "usage" }>): void {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) {
      this.#waiting.delete(id);
      clearTimeout(waiting.timer);
      waiting.resolve(answer);
    }
  }

  /** Nobody will answer any more. @param reason in words for people */
  close(reason: string): void {
    this.#closed = reason;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new UsageUnavailable(reason));
    }
    this.#waiting.clear();
  }
}
