import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mediaTokens, UNKNOWN_MEDIA_TOKENS } from "./media-tokens.ts";

const ofBytes = (bytes: Buffer): number => {
  const body = Buffer.from(`"${bytes.toString("base64")}"`);
  return mediaTokens(body, 1, body.length - 1);
};

function bytesOf(length: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(length, 0x33);
  write(bytes);
  return bytes;
}

/** Of 600 by 500 pixels each, as its form says it. */
const IMAGES: Readonly<Record<string, Buffer>> = {
  PNG: bytesOf(400, (bytes) => {
    bytes.write("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1");
    bytes.writeUInt32BE(600, 16);
    bytes.writeUInt32BE(500, 20);
  }),
  GIF: bytesOf(400, (bytes) => {
    bytes.write("GIF89a");
    bytes.writeUInt16LE(600, 6);
    bytes.writeUInt16LE(500, 8);
  }),
  "JPEG behind 20,000 bytes of EXIF data": bytesOf(21_000, (bytes) => {
    bytes.writeUInt32BE(0xff_d8_ff_e1, 0);
    bytes.writeUInt16BE(20_000, 4);
    bytes.writeUInt32BE(0xff_c2_00_11, 20_004);
    bytes[20_008] = 8;
    bytes.writeUInt16BE(500, 20_009);
    bytes.writeUInt16BE(600, 20_011);
  }),
  "WebP, simple": bytesOf(400, (bytes) => {
    bytes.write("RIFF");
    bytes.write("WEBPVP8 ", 8);
    bytes.writeUInt16LE(600, 26);
    bytes.writeUInt16LE(500, 28);
  }),
  "WebP, lossless": bytesOf(400, (bytes) => {
    bytes.write("RIFF");
    bytes.write("WEBPVP8L", 8);
    bytes.writeUInt32LE(599 | (499 << 14), 21);
  }),
  "WebP, extended": bytesOf(400, (bytes) => {
    bytes.write("RIFF");
    bytes.write("WEBPVP8X", 8);
    bytes.writeUIntLE(599, 24, 3);
    bytes.writeUIntLE(499, 27, 3);
  }),
};

for (const [form, bytes] of Object.entries(IMAGES)) {
  test(`${form}: its size is read`, () => {
    assert.equal(ofBytes(bytes), 400);
  });
}

test("a large image counts no more than the vendor shrinks it to", () => {
  const image = bytesOf(400, (bytes) => {
    IMAGES["PNG"]!.copy(bytes);
    bytes.writeUInt32BE(0xff_ff_ff_ff, 16);
    bytes.writeUInt32BE(0xff_ff_ff_ff, 20);
  });
  assert.equal(ofBytes(image), 1_600);
});

test("what is no image has a flat figure, and whatever the bytes say it is a bounded number", () => {
  assert.equal(ofBytes(Buffer.alloc(1_000, 1)), UNKNOWN_MEDIA_TOKENS);
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(IMAGES)),
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(60),
      (image, noise, at) => {
        const bytes = Buffer.from(image);
        bytes.set(noise, at);
        const tokens = ofBytes(bytes.subarray(0, 100 + noise.length));
        assert.ok(Number.isSafeInteger(tokens) && tokens >= 1 && tokens <= 2_000, String(tokens));
      },
    ),
    { numRuns: 2_000 },
  );
});
