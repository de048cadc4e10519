/** Embeddings that depend on nothing but the input: the same text has the same vector on every machine. */
import { createHash } from "node:crypto";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import { asArray, asString } from "../read.ts";
import { countTokens } from "../tokens.ts";
import { badRequest } from "../vendor-error.ts";
import { readModel } from "./read.ts";

const MAX_DIMENSIONS = 8192;
const MAX_INPUTS = 2048;

/** @throws VendorError 400 */
export function answerEmbeddings(body: JsonObject, defaultDimensions: number): JsonObject {
  const model = readModel(body);
  const inputs = readInputs(body["input"]);
  const dimensions = body["dimensions"] ?? defaultDimensions;
  if (
    typeof dimensions !== "number" ||
    !Number.isInteger(dimensions) ||
    dimensions < 1 ||
    dimensions > MAX_DIMENSIONS
  ) {
    throw badRequest(`dimensions must be a whole number from 1 to ${MAX_DIMENSIONS}`, "dimensions");
  }
  const format = body["encoding_format"] ?? "float";
  if (format !== "float" && format !== "base64")
    throw badRequest("encoding_format must be float or base64", "encoding_format");
  const tokens = inputs.reduce((sum, input) => sum + countTokens(input), 0);
  return {
    object: "list",
    data: inputs.map((input, index) => {
      const vector = embed(input, dimensions);
      return { object: "embedding", index, embedding: format === "float" ? [...vector] : toBase64(vector) };
    }),
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function readInputs(input: JsonValue | undefined): string[] {
  const single = asString(input);
  if (single !== undefined && single !== "") return [single];
  const list = asArray(input) ?? [];
  if (list.length === 0 || list.length > MAX_INPUTS)
    throw badRequest("input must be a string or an array of inputs", "input");
  // An array of numbers is one input of tokens; of arrays or strings, one input each.
  if (list.every((entry) => typeof entry === "number")) return [list.join(" ")];
  return list.map((entry, index) => {
    const text = asString(entry) ?? asArray(entry)?.join(" ");
    if (text === undefined || text === "") throw badRequest("an input must not be empty", `input[${index}]`);
    return text;
  });
}

/** A unit vector of single-precision numbers. */
function embed(text: string, dimensions: number): Float32Array {
  const bytes = createHash("shake256", { outputLength: dimensions * 2 })
    .update(text)
    .digest();
  const vector = new Float32Array(dimensions);
  let square = 0;
  for (let index = 0; index < dimensions; index++) {
    const value = bytes.readInt16LE(index * 2);
    vector[index] = value;
    square += value * value;
  }
  const length = Math.sqrt(square) || 1;
  return vector.map((value) => value / length);
}

function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString("base64");
}
