/** Runs tasks one after the other, in the order in which they came. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  /** @returns what the task returns, when its turn has come; a task that rejects does not stop those after it */
  run<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
