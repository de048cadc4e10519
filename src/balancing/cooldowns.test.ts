import assert from "node:assert/strict";
import { test } from "node:test";
import { Cooldowns, createCooldownsMemory } from "./cooldowns.ts";

const NOW = 1_000_000;

test("a rest is seen by every view of the memory and is never shortened", () => {
  const memory = createCooldownsMemory();
  const one = new Cooldowns(memory);
  const other = new Cooldowns(memory);
  one.rest(7, 5_000, NOW);
  one.rest(7, 1_000, NOW);
  assert.equal(other.restsUntil(7), NOW + 5_000);
  assert.equal(other.restsUntil(8), 0);
});

test("a Retry-After of a day is not believed", () => {
  const cooldowns = new Cooldowns(createCooldownsMemory());
  cooldowns.rest(1, 86_400_000, NOW);
  assert.equal(cooldowns.restsUntil(1), NOW + 3_600_000);
});

test("five failures in a row call for ejection: 30 s, doubling up to 300 s; a success forgives", () => {
  const cooldowns = new Cooldowns(createCooldownsMemory());
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => cooldowns.failed(3)),
    [false, false, false, false, true],
  );
  cooldowns.eject(3, NOW);
  assert.equal(cooldowns.restsUntil(3), NOW + 30_000);
  assert.equal(cooldowns.toldToRestUntil(3), 0);
  assert.equal(cooldowns.failed(3), true);
  cooldowns.eject(3, NOW + 30_000);
  assert.equal(cooldowns.restsUntil(3), NOW + 90_000);
  for (let count = 0; count < 10; count++) {
    cooldowns.failed(3);
  }
  cooldowns.eject(3, NOW + 90_000);
  assert.equal(cooldowns.restsUntil(3), NOW + 390_000);
  cooldowns.answered(3);
  assert.equal(cooldowns.failed(3), false);
});

test("an answer that begins forgives failures, only one that ends forgives those that broke off", () => {
  const cooldowns = new Cooldowns(createCooldownsMemory());
  const breaks = (): boolean => {
    cooldowns.answered(3);
    return cooldowns.brokeOff(3);
  };
  assert.deepEqual([1, 2, 3, 4, 5].map(breaks), [false, false, false, false, true]);
  assert.equal(breaks(), true);
  cooldowns.eject(3, NOW);
  assert.equal(cooldowns.restsUntil(3), NOW + 60_000, "the sixth in a row");
  cooldowns.completed(3);
  assert.equal(breaks(), false);
});
