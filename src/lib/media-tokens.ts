/**
 * What images and files in base64 count as, from their first bytes, by the rules that vendors publish. Their bytes are
 * never text.
 */

/** An image or file of which neither form nor size is known: about an image of a megapixel. */
export const UNKNOWN_MEDIA_TOKENS = 1_000;
/** Text in the file and the picture of the page: Anthropic names 1,500 to 3,000 for a page of PDF. */
const PDF_PAGE_TOKENS = 2_000;
const PDF_PAGE_BYTES = 100_000;
/** More pages are refused. */
const MAX_PDF_PAGES = 100;
/** OpenAI counts a token for 100 ms of audio. */
const AUDIO_TOKENS_PER_SECOND = 10;
const BYTES_PER_TEXT_TOKEN = 4;
/** In characters of base64: most forms say their size at once, a JPEG behind its EXIF data. */
const HEAD_CHARACTERS = 64;
const JPEG_HEAD_CHARACTERS = 32_768;
const COMMA = 0x2c;
const COLON = 0x3a;
const QUOTE = 0x22;
/** So many characters of base64 in a row are no text. */
const BINARY_CHARACTERS = 256;
/** Binaries beyond this size are found by looking at each so manieth byte. */
const PROBE_BYTES = 4_096;

const LONGEST_PREFIX = 128;

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Tokens of the base64 or data URL in `body` from `start` to `end`. A data URL is OpenAI's form, plain base64 Anthropic's. */
export function mediaTokens(body: Buffer, start: number, end: number): number {
  const isUrl = body.toString("latin1", start, start + 5) === "data:";
  const comma = isUrl ? body.indexOf(COMMA, start) : -1;
  const dataStart = comma >= 0 && comma < start + LONGEST_PREFIX ? comma + 1 : start;
  const bytes = ((end - dataStart) * 3) / 4;
  if (isUrl && body.toString("latin1", start + 5, start + 10) === "text/") {
    return Math.ceil(bytes / BYTES_PER_TEXT_TOKEN);
  }
  const head = decode(body, dataStart, Math.min(end, dataStart + HEAD_CHARACTERS));
  if (startsWith(head, "%PDF")) {
    return PDF_PAGE_TOKENS * Math.min(MAX_PDF_PAGES, Math.ceil(bytes / PDF_PAGE_BYTES));
  }
  if (startsWith(head, "RIFF") && startsWith(head, "WAVE", 8) && head.length >= 32) {
    return Math.ceil((bytes / Math.max(1, head.readUInt32LE(28))) * AUDIO_TOKENS_PER_SECOND);
  }
  const size = isJpeg(head)
    ? jpegSize(decode(body, dataStart, Math.min(end, dataStart + JPEG_HEAD_CHARACTERS)))
    : imageSize(head);
  if (size === undefined || size.width === 0 || size.height === 0) {
    return UNKNOWN_MEDIA_TOKENS;
  }
  return isUrl ? tiles(size) : area(size);
}

/** OpenAI: shrunk to fit into 2,048 by 2,048 and to 768 on the shorter side, 85 and 170 for each tile of 512 by 512. */
function tiles({ width, height }: Size): number {
  const fit = Math.min(1, 2_048 / Math.max(width, height));
  const scale = fit * Math.min(1, 768 / (Math.min(width, height) * fit));
  return 85 + 170 * Math.ceil((width * scale) / 512) * Math.ceil((height * scale) / 512);
}

/** Anthropic: shrunk to 1,568 on the longer side, a token for 750 pixels, about 1,600 at most. */
function area({ width, height }: Size): number {
  const scale = Math.min(1, 1_568 / Math.max(width, height));
  return Math.ceil(Math.min(1_600, (width * height * scale * scale) / 750));
}

function startsWith(head: Buffer, text: string, at = 0): boolean {
  return head.toString("latin1", at, at + text.length) === text;
}

function decode(body: Buffer, start: number, end: number): Buffer {
  return Buffer.from(body.toString("latin1", start, end), "base64");
}

function isJpeg(head: Buffer): boolean {
  return head[0] === 0xff && head[1] === 0xd8;
}

/** Of PNG, GIF and WebP. */
function imageSize(head: Buffer): Size | undefined {
  if (head.length < 30) return undefined;
  if (startsWith(head, "PNG", 1)) return { width: head.readUInt32BE(16), height: head.readUInt32BE(20) };
  if (startsWith(head, "GIF8")) return { width: head.readUInt16LE(6), height: head.readUInt16LE(8) };
  return startsWith(head, "WEBP", 8) ? webpSize(head) : undefined;
}

/** https://developers.google.com/speed/webp/docs/riff_container: simple, lossless, extended. */
function webpSize(head: Buffer): Size | undefined {
  if (startsWith(head, "VP8X", 12)) return { width: head.readUIntLE(24, 3) + 1, height: head.readUIntLE(27, 3) + 1 };
  if (startsWith(head, "VP8 ", 12)) {
    return { width: head.readUInt16LE(26) & 0x3fff, height: head.readUInt16LE(28) & 0x3fff };
  }
  if (!startsWith(head, "VP8L", 12)) return undefined;
  const bits = head.readUInt32LE(21);
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}

/** In the first frame header (SOF0 to SOF15, of which C4, C8 and CC are others). */
function jpegSize(head: Buffer): Size | undefined {
  let at = 2;
  while (at + 9 <= head.length && head[at] === 0xff) {
    const marker = head[at + 1]!;
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return { width: head.readUInt16BE(at + 7), height: head.readUInt16BE(at + 5) };
    }
    at += 2 + head.readUInt16BE(at + 2);
  }
  return undefined;
}

/** Characters of base64, of both alphabets. */
const BASE64 = new Uint8Array(256);
for (const character of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_") {
  BASE64[character.charCodeAt(0)] = 1;
}

/** Where something lies; the end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The string that begins at `start` is base64 or a data URL of it. */
export function isMedia(body: Buffer, start: number, end: number): boolean {
  let at = start;
  // "data:"
  if (body[start] === 0x64 && body[start + 4] === COLON) {
    const comma = body.indexOf(COMMA, start);
    if (comma < 0 || comma > start + LONGEST_PREFIX) return false;
    at = comma + 1;
  }
  return isBase64(body, at, end);
}

function isBase64(body: Buffer, start: number, end: number): boolean {
  const last = start + BINARY_CHARACTERS - 1;
  // the last first: of most texts it says enough
  if (last >= end || BASE64[body[last]!] === 0) return false;
  let at = start;
  while (at < last && BASE64[body[at]!] === 1) at++;
  return at === last;
}

/** Strings of base64 that are longer than PROBE_BYTES and a little. */
export function findMedia(body: Buffer, start: number, end: number): Span[] {
  const found: Span[] = [];
  for (let at = start; at < end; at += PROBE_BYTES) {
    if (!isBase64(body, at, end)) continue;
    const open = body.lastIndexOf(QUOTE, at);
    const close = body.indexOf(QUOTE, at);
    if (open >= start && isMedia(body, open + 1, end)) {
      found.push({ start: open + 1, end: close < 0 ? end : Math.min(close, end) });
      at = found.at(-1)!.end;
    }
  }
  return found;
}
