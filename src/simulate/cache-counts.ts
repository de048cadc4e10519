/** What a request reads from the prefix cache and writes to it, in each of the two ways that vendors have. */
import type { PrefixCache } from "./prefix-cache.ts";
import type { Task } from "./task.ts";
import { CHARACTERS_PER_TOKEN, countTokens } from "./tokens.ts";

export interface CacheCounts {
  readonly read: number;
  readonly write5m: number;
  readonly write1h: number;
}

/** Without marks, engines cache all they can and report what they read; with marks, up to the last mark, and writes too. */
export function useCache(task: Task, cache: PrefixCache): CacheCounts {
  // Directives are part of the model's name, and no reason for a cache of its own.
  const namespace = task.model.split("?")[0] ?? "";
  if (task.cacheMarks === undefined) return { read: cache.use(namespace, task.prompt), write5m: 0, write1h: 0 };
  const last = task.cacheMarks.at(-1);
  if (last === undefined) return { read: 0, write5m: 0, write1h: 0 };
  const prefix = task.prompt.slice(0, last.offset);
  const read = cache.use(namespace, prefix);
  const written = { "5m": 0, "1h": 0 };
  let before = read;
  for (const mark of task.cacheMarks) {
    const tokens = mark === last ? countTokens(prefix) : Math.floor(mark.offset / CHARACTERS_PER_TOKEN);
    if (tokens <= before) continue;
    written[mark.ttl] += tokens - before;
    before = tokens;
  }
  return { read, write5m: written["5m"], write1h: written["1h"] };
}
