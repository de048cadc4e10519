import assert from "node:assert/strict";
import { test } from "node:test";
import { LoaderDesk } from "./loader-desk.ts";

function start(): { desk: LoaderDesk<string, string>; ids: number[] } {
  const ids: number[] = [];
  const desk = new LoaderDesk<string, string>((id) => {
    ids.push(id);
  });
  return { desk, ids };
}

test("each question gets its own answer, whatever their order; an answer to nobody is ignored", async () => {
  const { desk, ids } = start();
  const first = desk.ask("question 1");
  const second = desk.ask("question 2");
  desk.answered(ids[1]!, "second");
  desk.answered(ids[1]!, "again");
  desk.answered(99, "nobody's");
  desk.answered(ids[0]!, "first");
  assert.deepEqual([await first, await second], ["first", "second"]);
});

test("no more wait than the limit; an answer makes room", async () => {
  const { desk, ids } = start();
  const waiting = Array.from({ length: 64 }, () => desk.ask("question 1"));
  await assert.rejects(desk.ask("question 1"), {
    name: "LoaderUnavailable",
    message: /64 questions .* again in a moment/,
  });
  desk.answered(ids[0]!, "answer");
  const last = desk.ask("question 1");
  desk.close("the end");
  await waiting[0];
  for (const question of [...waiting.slice(1), last]) await assert.rejects(question, { message: "the end" });
  await assert.rejects(desk.ask("question 1"), { message: "the end" });
});

test("a loader that is busy for long does not keep anybody waiting without end", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { desk, ids } = start();
  const question = desk.ask("question 1");
  t.mock.timers.tick(8_000);
  await assert.rejects(question, { name: "LoaderUnavailable", message: /the configuration is being read/ });
  desk.answered(ids[0]!, "answer");
});
