import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { test } from "node:test";
import { frameChunk, LAST_CHUNK } from "./chunk-framing.ts";

test("frames any length with its size in hexadecimal", () => {
  for (const length of [1, 9, 10, 15, 16, 17, 255, 256, 4095, 4096, 65_535, 65_536, 1_048_576]) {
    const payload = Buffer.alloc(length, "x");
    const framed = frameChunk(payload);
    assert.equal(framed.toString("latin1"), `${length.toString(16)}\r\n${payload.toString("latin1")}\r\n`);
  }
});

test("an empty payload gives nothing, since an empty chunk would end the body", () => {
  assert.equal(frameChunk(Buffer.alloc(0)).length, 0);
});

test("a client reads a body framed by us", async () => {
  const pieces = ["a", "", "é".repeat(1000), "z".repeat(70_000)].map((text) => Buffer.from(text));
  const server = createServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    for (const piece of pieces) socket.write(frameChunk(piece));
    socket.end(LAST_CHUNK);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const [response] = (await once(request({ host: "127.0.0.1", port }).end(), "response")) as [IncomingMessage];
  const body: Buffer[] = [];
  for await (const chunk of response) body.push(chunk as Buffer);
  server.close();
  assert.ok(response.complete);
  assert.ok(Buffer.concat(body).equals(Buffer.concat(pieces)));
});
