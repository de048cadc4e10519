import assert from "node:assert/strict";
import { test } from "node:test";
import type { ToLoader } from "./messages.ts";
import { UsageDesk } from "./usage-desk.ts";

function start(): { desk: UsageDesk; ids: number[] } {
  const ids: number[] = [];
  const desk = new UsageDesk((message: ToLoader) => {
    if (message.kind === "usage") ids.push(message.id);
  });
  return { desk, ids };
}

test("each question gets its own answer, whatever their order; an answer to nobody is ignored", async () => {
  const { desk, ids } = start();
  const first = desk.ask({ limit: 1 });
  const second = desk.ask({ limit: 2 });
  const answer = (id: number, body: string): void => {
    desk.answered({ kind: "usage", id, answer: { outcome: "page", body } });
  };
  answer(ids[1]!, "second");
  answer(ids[1]!, "again");
  answer(99, "nobody's");
  answer(ids[0]!, "first");
  assert.deepEqual(
    [await first, await second].map((page) => JSON.stringify(page)),
    ['{"outcome":"page","body":"first"}', '{"outcome":"page","body":"second"}'],
  );
});

test("no more wait than the limit; an answer makes room", async () => {
  const { desk, ids } = start();
  const waiting = Array.from({ length: 64 }, () => desk.ask({ limit: 1 }));
  await assert.rejects(desk.ask({ limit: 1 }), {
    name: "UsageUnavailable",
    message: /64 questions .* again in a moment/,
  });
  desk.answered({ kind: "usage", id: ids[0]!, answer: { outcome: "consumer_not_found" } });
  const last = desk.ask({ limit: 1 });
  desk.close("the end");
  await waiting[0];
  for (const question of [...waiting.slice(1), last]) await assert.rejects(question, { message: "the end" });
  await assert.rejects(desk.ask({ limit: 1 }), { message: "the end" });
});

test("a loader that is busy for long does not keep anybody waiting without end", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { desk, ids } = start();
  const question = desk.ask({ limit: 1 });
  t.mock.timers.tick(8_000);
  await assert.rejects(question, { name: "UsageUnavailable", message: /the configuration is being read/ });
  desk.answered({ kind: "usage", id: ids[0]!, answer: { outcome: "consumer_not_found" } });
});
