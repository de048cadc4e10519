/**
 * Makes a function that runs `task` for one item at a time. Of the items that come while it runs only the newest is
 * taken, afterwards: so the newest of all is always the last.
 * @param task must not reject
 * @returns resolves at once while a run is under way, else when no item is left
 */
export function newestInTurn<Item>(task: (item: Item) => Promise<void>): (item: Item) => Promise<void> {
  let running = false;
  let waiting: { readonly item: Item } | undefined;
  return async (item) => {
    waiting = { item };
    if (running) {
      return;
    }
    running = true;
    while (waiting !== undefined) {
      const next: Item = waiting.item;
      waiting = undefined;
      await task(next);
    }
    running = false;
  };
}
