/** The main thread's side of questions that the loader's thread answers: what is used, and what limits whom. */

/** Questions that wait at one time; a person or a few tools ask. */
const MAX_WAITING = 64;
/** Before the admin port gives its client up. The loader may be reading a large file. */
const ANSWER_MS = 8_000;

/** Nobody can answer now; the message says why and what to do. */
export class LoaderUnavailable extends Error {
  override readonly name = "LoaderUnavailable";
}

interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: LoaderUnavailable) => void;
  readonly timer: NodeJS.Timeout;
}

/** Questions and their answers. */
export class LoaderDesk<Question, Answer> {
  readonly #send: (id: number, question: Question) => void;
  readonly #waiting = new Map<number, Waiting<Answer>>();
  #lastId = 0;
  #closed: string | undefined;

  constructor(send: (id: number, question: Question) => void) {
    this.#send = send;
  }

  /** @throws LoaderUnavailable */
  ask(question: Question): Promise<Answer> {
    if (this.#closed !== undefined) {
      return Promise.reject(new LoaderUnavailable(this.#closed));
    }
    if (this.#waiting.size >= MAX_WAITING) {
      const message = `${MAX_WAITING} questions wait for their answers already; ask again in a moment`;
      return Promise.reject(new LoaderUnavailable(message));
    }
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const id = ++this.#lastId;
    const timer = setTimeout(() => {
      this.#waiting.delete(id);
      reject(new LoaderUnavailable("the configuration is being read, which takes long; ask again in a moment"));
    }, ANSWER_MS);
    this.#waiting.set(id, { resolve, reject, timer });
    this.#send(id, question);
    return promise;
  }

  /** Takes an answer; one that comes too late is nobody's. */
  answered(id: number, answer: Answer): void {
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
      reject(new LoaderUnavailable(reason));
    }
    this.#waiting.clear();
  }
}
