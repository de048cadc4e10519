import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { Connection } from "./connection.ts";

const HANDLER = { onSent() {}, onHead() {}, onData() {}, onEnd() {}, onFailure() {} };
const OWNER = { idle() {}, closed() {} };

/** A socket whose system takes nothing yet (on a loopback it takes whole megabytes at once). */
function slowSocket(): { readonly socket: Socket; readonly taken: () => string } {
  const held: { chunk: Buffer; done: () => void }[] = [];
  const duplex = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      held.push({ chunk, done });
    },
  });
  const taken = (): string => {
    let text = "";
    for (let next = held.shift(); next !== undefined; next = held.shift()) {
      text += next.chunk.toString("latin1");
      next.done();
    }
    return text;
  };
  return { socket: duplex as unknown as Socket, taken };
}

test("what a socket still holds is not written over by the next request", () => {
  const sockets = ["a", "b", "c"].map((letter) => ({ letter, ...slowSocket() }));
  for (const { letter, socket } of sockets) {
    new Connection(socket, OWNER).send(`head ${letter}\r\n\r\n`, Buffer.alloc(1_000, letter), HANDLER);
  }
  for (const { letter, taken } of sockets) {
    assert.equal(taken(), `head ${letter}\r\n\r\n${letter.repeat(1_000)}`);
  }
});
