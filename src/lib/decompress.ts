/**
 * Streaming decoder of a content coding (RFC 9110, section 8.4.1; br RFC 7932, zstd RFC 8878). All that a
 * chunk of input decodes to comes out without waiting for the next one, so events inside a compressed
 * stream arrive one by one.
 */
import { constants } from "node:zlib";
import * as zlib from "node:zlib";
import { SluiceError } from "./errors.ts";

/** The codings that `createDecoder` knows, as `accept-encoding` lists them. */
export const CONTENT_CODINGS = ["gzip", "deflate", "br", "zstd"] as const;

/** Where decoded bytes go. After `end` or `error` nothing more is called. */
export interface DecoderSink {
  data(chunk: Buffer): void;
  end(): void;
  /** `upstream_invalid_answer` for garbage or too much expansion, `upstream_stream_broken` for a cut. */
  error(error: SluiceError): void;
  /** More can be written after `write` returned false. */
  drain(): void;
}

/** Limits of one decoder. */
export interface DecoderLimits {
  /** Decoded bytes in all. */
  readonly maxBytes: number;
  /** Decoded bytes per encoded byte; not looked at below RATIO_FREE_BYTES. */
  readonly maxRatio: number;
}

/** So much may come out of however little: short texts can be very repetitive. */
export const RATIO_FREE_BYTES = 1_048_576;

/** RFC 9659: a zstd window of more than 8 MiB is not for HTTP; it would also be our memory. */
const ZSTD_WINDOW_LOG_MAX = 23;

type Transform = zlib.Gunzip | zlib.Inflate | zlib.InflateRaw | zlib.BrotliDecompress | zlib.ZstdDecompress;

/** One body on its way through a decoder. */
export class Decoder {
  readonly #coding: string;
  readonly #limits: DecoderLimits;
  readonly #sink: DecoderSink;
  #transform: Transform | undefined;
  #paused = false;
  #done = false;
  #bytesIn = 0;
  #bytesOut = 0;

  /** Use `createDecoder`. */
  constructor(coding: string, limits: DecoderLimits, sink: DecoderSink) {
    this.#coding = coding;
    this.#limits = limits;
    this.#sink = sink;
  }

  /** Takes encoded bytes; false if the caller should wait for `drain`. The chunk must not be changed afterwards. */
  write(chunk: Buffer): boolean {
    if (this.#done || chunk.length === 0) return true;
    this.#bytesIn += chunk.length;
    this.#transform ??= this.#open(chunk[0]!);
    return this.#transform.write(chunk);
  }

  /** All encoded bytes have come. An empty body is an empty body, whatever its coding. */
  end(): void {
    if (this.#done) return;
    if (this.#transform === undefined) {
      this.#done = true;
      this.#sink.end();
      return;
    }
    this.#transform.end();
  }

  /** Stops handing out decoded bytes; `write` will soon return false. */
  pause(): void {
    this.#paused = true;
    this.#transform?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#transform?.resume();
  }

  /** Frees what it holds; the sink hears nothing more. */
  destroy(): void {
    this.#done = true;
    this.#transform?.destroy();
  }

  #open(firstByte: number): Transform {
    const transform = createTransform(this.#coding, firstByte);
    transform.on("data", (chunk: Buffer) => this.#data(chunk));
    transform.on("drain", () => {
      if (!this.#done) this.#sink.drain();
    });
    transform.on("end", () => {
      if (this.#done) return;
      this.#done = true;
      this.#sink.end();
    });
    transform.on("error", (error: NodeJS.ErrnoException) => this.#fail(this.#explain(error)));
    if (this.#paused) transform.pause();
    return transform;
  }

  #data(chunk: Buffer): void {
    if (this.#done) return;
    this.#bytesOut += chunk.length;
    const { maxBytes, maxRatio } = this.#limits;
    if (this.#bytesOut > maxBytes) {
      this.#fail(invalid(`The upstream's answer is larger than ${maxBytes} bytes once decoded.`));
    } else if (this.#bytesOut > RATIO_FREE_BYTES && this.#bytesOut > maxRatio * this.#bytesIn) {
      this.#fail(invalid(`The upstream's answer expands more than ${maxRatio} times when decoded.`));
    } else {
      this.#sink.data(chunk);
    }
  }

  #fail(error: SluiceError): void {
    if (this.#done) return;
    this.destroy();
    this.#sink.error(error);
  }

  #explain(error: NodeJS.ErrnoException): SluiceError {
    if (error.code === "Z_BUF_ERROR") {
      return new SluiceError("upstream_stream_broken", `The upstream's ${this.#coding} answer was cut off.`, {
        cause: error,
      });
    }
    return invalid(`The upstream's answer is not valid ${this.#coding}.`, error);
  }
}

/**
 * @param contentEncoding the header's value, "gzip", "x-gzip", "deflate", "br" or "zstd"
 * @throws SluiceError `upstream_invalid_answer` for any other coding, and for several one upon another
 */
export function createDecoder(contentEncoding: string, limits: DecoderLimits, sink: DecoderSink): Decoder {
  const name = contentEncoding.trim().toLowerCase();
  const coding = CONTENT_CODINGS.find((known) => known === name || `x-${known}` === name);
  if (coding === undefined) {
    throw invalid(
      `The upstream's answer has an unknown content-encoding; only one of ${CONTENT_CODINGS.join(", ")} is supported.`,
    );
  }
  return new Decoder(coding, limits, sink);
}

function createTransform(coding: string, firstByte: number): Transform {
  switch (coding) {
    case "gzip":
      return zlib.createGunzip();
    case "br":
      return zlib.createBrotliDecompress();
    case "zstd":
      return zlib.createZstdDecompress({
        params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
      });
    default:
      // "deflate" means zlib's format, but some servers send it raw; zlib's first byte ends in 8
      return (firstByte & 0x0f) === 8 ? zlib.createInflate() : zlib.createInflateRaw();
  }
}

function invalid(message: string, cause?: unknown): SluiceError {
  return new SluiceError("upstream_invalid_answer", message, { cause });
}
