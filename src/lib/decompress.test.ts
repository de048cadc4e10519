import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import * as zlib from "node:zlib";
import { createDecoder, type Decoder, type DecoderLimits } from "./decompress.ts";
import type { SluiceError } from "./errors.ts";

const LIMITS: DecoderLimits = { maxBytes: 50_000_000, maxRatio: 100 };
const TEXT = Buffer.from(Array.from({ length: 300 }, (_, n) => `data: {"n":${n},"é":"人😀"}\n\n`).join(""));

interface Coding {
  readonly label: string;
  readonly name: string;
  readonly encode: (bytes: Buffer) => Buffer;
  createEncoder(): zlib.Gzip | zlib.Deflate | zlib.DeflateRaw | zlib.BrotliCompress | zlib.ZstdCompress;
  readonly flush: number;
}

const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH, ZSTD_e_flush } = zlib.constants;
const CODINGS: readonly Coding[] = [
  { label: "gzip", name: "gzip", encode: zlib.gzipSync, createEncoder: zlib.createGzip, flush: Z_SYNC_FLUSH },
  { label: "x-gzip", name: "X-GZip ", encode: zlib.gzipSync, createEncoder: zlib.createGzip, flush: Z_SYNC_FLUSH },
  {
    label: "deflate",
    name: "deflate",
    encode: zlib.deflateSync,
    createEncoder: zlib.createDeflate,
    flush: Z_SYNC_FLUSH,
  },
  {
    label: "raw deflate",
    name: "deflate",
    encode: zlib.deflateRawSync,
    createEncoder: zlib.createDeflateRaw,
    flush: Z_SYNC_FLUSH,
  },
  {
    label: "br",
    name: "br",
    encode: zlib.brotliCompressSync,
    createEncoder: zlib.createBrotliCompress,
    flush: BROTLI_OPERATION_FLUSH,
  },
  {
    label: "zstd",
    name: "zstd",
    encode: zlib.zstdCompressSync,
    createEncoder: zlib.createZstdCompress,
    flush: ZSTD_e_flush,
  },
];

interface Decoding {
  readonly decoder: Decoder;
  readonly chunks: Buffer[];
  readonly outcome: Promise<SluiceError | undefined>;
  /** Called at each chunk. */
  onData: () => void;
  drains: number;
}

function decode(name: string, limits: DecoderLimits = LIMITS): Decoding {
  const { promise, resolve } = Promise.withResolvers<SluiceError | undefined>();
  const chunks: Buffer[] = [];
  const decoding: Decoding = {
    chunks,
    outcome: promise,
    onData: () => {},
    drains: 0,
    decoder: createDecoder(name, limits, {
      data(chunk) {
        chunks.push(chunk);
        decoding.onData();
      },
      end() {
        resolve(undefined);
      },
      error: resolve,
      drain() {
        decoding.drains++;
      },
    }),
  };
  return decoding;
}

async function decodeAll(name: string, parts: readonly Buffer[], limits = LIMITS) {
  const { decoder, chunks, outcome } = decode(name, limits);
  for (const part of parts) decoder.write(part);
  decoder.end();
  const error = await outcome;
  return { text: Buffer.concat(chunks), error };
}

for (const coding of CODINGS) {
  const { label } = coding;

  test(`${label}: decodes, wherever the stream is split`, async () => {
    const encoded = coding.encode(TEXT);
    for (let at = 0; at <= encoded.length; at += 1 + Math.floor(encoded.length / 100)) {
      const { text, error } = await decodeAll(coding.name, [encoded.subarray(0, at), encoded.subarray(at)]);
      assert.equal(error, undefined);
      assert.ok(text.equals(TEXT));
    }
    const bytes = Array.from(encoded, (_, at) => encoded.subarray(at, at + 1));
    assert.ok((await decodeAll(coding.name, bytes)).text.equals(TEXT));
  });

  test(`${label}: each flushed event comes out before the next goes in`, async () => {
    const encoder = coding.createEncoder();
    const decoding = decode(coding.name);
    for (let n = 0; n < 20; n++) {
      const event = `data: ${n}\n\n`;
      encoder.write(event);
      await new Promise<void>((resolve) => {
        encoder.flush(coding.flush, resolve);
      });
      const arrived = Promise.withResolvers<void>();
      decoding.chunks.length = 0;
      decoding.onData = () => {
        if (Buffer.concat(decoding.chunks).equals(Buffer.from(event))) arrived.resolve();
      };
      for (let part: unknown = encoder.read(); part !== null; part = encoder.read()) {
        decoding.decoder.write(part as Buffer);
      }
      await arrived.promise;
    }
    encoder.end();
    encoder.resume();
    await once(encoder, "close");
    decoding.decoder.destroy();
  });

  test(`${label}: a stream cut anywhere is an error, after what could be decoded`, async () => {
    const encoded = coding.encode(TEXT);
    for (let length = 1; length < encoded.length; length += 1 + Math.floor(encoded.length / 50)) {
      const { text, error } = await decodeAll(coding.name, [encoded.subarray(0, length)]);
      assert.equal(error?.code, "upstream_stream_broken", `cut after ${length} of ${encoded.length}`);
      assert.ok(TEXT.subarray(0, text.length).equals(text));
      // zstd says nothing before a block is complete
      assert.ok(text.length > 0 || length < encoded.length / 2 || label === "zstd");
    }
  });

  test(`${label}: garbage is an error`, async () => {
    const encoded = Buffer.from(coding.encode(TEXT));
    encoded.fill(0xaa, 3, 40);
    const { error } = await decodeAll(coding.name, [encoded]);
    assert.equal(error?.code, "upstream_invalid_answer");
    const html = await decodeAll(coding.name, [Buffer.from("<html>502 Bad Gateway</html>")]);
    assert.notEqual(html.error, undefined);
  });

  test(`${label}: bounds size and expansion`, async () => {
    const bomb = coding.encode(Buffer.alloc(20_000_000));
    const ratio = await decodeAll(coding.name, [bomb]);
    assert.equal(ratio.error?.code, "upstream_invalid_answer");
    assert.match(ratio.error.message, /more than 100 times/);
    assert.ok(ratio.text.length < 5_000_000, `${ratio.text.length} bytes came out first`);
    const size = await decodeAll(coding.name, [coding.encode(TEXT)], { maxBytes: 1000, maxRatio: 100 });
    assert.match(size.error?.message ?? "", /larger than 1000 bytes/);
    assert.ok(size.text.length <= 1000);
    // so small a text may be as repetitive as it likes
    const small = await decodeAll(coding.name, [coding.encode(Buffer.alloc(1_000_000))]);
    assert.equal(small.error, undefined);
    assert.equal(small.text.length, 1_000_000);
  });

  test(`${label}: an empty body is empty`, async () => {
    assert.deepEqual(await decodeAll(coding.name, []), { text: Buffer.alloc(0), error: undefined });
  });
}

test("several gzip members and zstd frames are one text", async () => {
  const halves = [TEXT.subarray(0, 1000), TEXT.subarray(1000)];
  for (const { name, encode } of CODINGS.filter((coding) => /gzip|zstd/i.test(coding.name))) {
    const { text, error } = await decodeAll(name, [Buffer.concat(halves.map((half) => encode(half)))]);
    assert.equal(error, undefined);
    assert.ok(text.equals(TEXT));
  }
});

test("other codings, and one upon another, are refused", () => {
  for (const name of ["compress", "gzip, br", "gzip,gzip", "", "identity"]) {
    assert.throws(
      () => decode(name),
      (error: unknown) => (error as SluiceError).code === "upstream_invalid_answer",
    );
  }
});

test("pausing holds decoded bytes back and makes write refuse", async () => {
  const decoding = decode("gzip", { maxBytes: 1e9, maxRatio: 2000 });
  const encoded = zlib.gzipSync(Buffer.alloc(8_000_000));
  decoding.decoder.pause();
  let accepted = true;
  for (let at = 0; at < encoded.length; at += 100) accepted = decoding.decoder.write(encoded.subarray(at, at + 100));
  // one piece that alone exceeds what may wait
  accepted = decoding.decoder.write(Buffer.alloc(200_000)) && accepted;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(accepted, false);
  assert.equal(decoding.chunks.length, 0);
  decoding.decoder.resume();
  decoding.decoder.end();
  assert.equal(await decoding.outcome, undefined);
  assert.equal(Buffer.concat(decoding.chunks).length, 8_000_000);
});

test("a destroyed decoder says nothing more", async () => {
  const decoding = decode("gzip");
  decoding.decoder.write(zlib.gzipSync(TEXT));
  decoding.decoder.destroy();
  decoding.decoder.write(Buffer.from("x"));
  decoding.decoder.end();
  const silent = new Promise((resolve) => setTimeout(resolve, 50, "silent"));
  assert.equal(await Promise.race([decoding.outcome, silent]), "silent");
  assert.equal(decoding.chunks.length, 0);
});
