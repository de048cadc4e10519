import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { newestInTurn } from "./newest-in-turn.ts";

test("a slow first item is not overtaken, and of those that wait only the newest is taken", async () => {
  const log: string[] = [];
  const take = newestInTurn(async (item: string) => {
    log.push(`${item} begins`);
    await sleep(item === "first" ? 20 : 1);
    log.push(`${item} ends`);
  });
  const all = take("first");
  await take("second");
  await take("third");
  assert.deepEqual(log, ["first begins"]);
  await all;
  assert.deepEqual(log, ["first begins", "first ends", "third begins", "third ends"]);
});

test("what comes later is taken too, undefined as well", async () => {
  const log: unknown[] = [];
  const take = newestInTurn(async (item: unknown) => {
    log.push(item);
    await sleep(1);
  });
  await take(1);
  await take(undefined);
  assert.deepEqual(log, [1, undefined]);
});
