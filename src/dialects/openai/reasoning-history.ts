/**
 * What a model thought, in the assistant messages of a request and of an answer. The protocol has no word for
 * it, the world around it has four: engines say `reasoning_content` or `reasoning` (text), OpenRouter
 * `reasoning_details` and LiteLLM `thinking_blocks` (both with signatures). All are read; what came goes back in
 * the same word. Written otherwise: `reasoning_content`, and, since only it can carry signatures and redacted
 * thinking through a stream that SDKs put together by `index`, `reasoning_details` as OpenRouter has it, whose
 * `index` is the part's place in the message. So signed thinking goes through a client unchanged.
 */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { ContentPart, ReasoningPart } from "../form.ts";
import { FieldReader, hintsOf, objectOf, putBack, under } from "./fields.ts";

/** The words that hold a plain text. */
const TEXT_WORDS = ["reasoning_content", "reasoning"] as const;
/** Hints of an assistant message that tell how its reasoning was worded. */
export const REASONING_WORDED: readonly string[] = [...TEXT_WORDS, "reasoning_details", "thinking_blocks"];
/** What OpenRouter calls the kind of signature that Anthropic makes. */
const SIGNED_FORMAT = "anthropic-claude-v1";
/** The hint on a part of an answer that tells the words its text came in. */
export const REASONING_WORDS_HINT = "sluice_reasoning_words";
const DETAIL_WORDED: ReadonlySet<string> = new Set(["type", REASONING_WORDS_HINT]);

/** A part and the place in the message that the wire gave it. */
interface Placed {
  readonly part: ReasoningPart;
  readonly place: number | undefined;
}

/**
 * Reads the reasoning of an assistant message and puts it among `others`, the message's other parts.
 * @throws SluiceError `invalid_request`
 */
export function decodeReasoning(reader: FieldReader, others: ContentPart[]): ContentPart[] {
  const placed: Placed[] = [];
  let text: string | undefined;
  for (const word of TEXT_WORDS) {
    const value = reader.string(word);
    if (value === undefined) continue;
    reader.hint(word, value);
    text ??= value;
  }
  for (const [word, decode] of [
    ["reasoning_details", decodeDetail],
    ["thinking_blocks", decodeBlock],
  ] as const) {
    const list = reader.array(word);
    if (list === undefined) continue;
    reader.hint(word, []);
    if (placed.length > 0) continue;
    list.forEach((value, index) => placed.push(decode(value, under(reader.at(word), index))));
  }
  if (placed.length === 0 && text !== undefined && text !== "") {
    placed.push({ part: { kind: "reasoning", text }, place: undefined });
  }
  return place(placed, others);
}

/** Reasoning goes first unless the wire says where it was. */
function place(reasoning: readonly Placed[], others: ContentPart[]): ContentPart[] {
  if (reasoning.length === 0) return others;
  const parts = [...others];
  let next = 0;
  for (const { part, place: wanted } of reasoning) {
    const at = Math.min(Math.max(wanted ?? next, next), parts.length);
    parts.splice(at, 0, part);
    next = at + 1;
  }
  return parts;
}

function decodeDetail(value: JsonValue, path: string): Placed {
  const reader = new FieldReader(objectOf(value, path), path);
  const type = reader.requiredString("type");
  reader.hint("type", type);
  const part: ReasoningPart = { kind: "reasoning", text: "" };
  if (type === "reasoning.encrypted") {
    part.redacted = reader.requiredString("data");
  } else {
    const text = reader.string(type === "reasoning.summary" ? "summary" : "text");
    part.text = text ?? "";
    // beside a signature an empty text is usually left out
    if (text === "") reader.hint("text", "");
    const signature = reader.string("signature");
    if (signature !== undefined) part.signature = signature;
  }
  const index = reader.integer("index", 0);
  for (const key of ["id", "format", "index"]) {
    const word = reader.value(key);
    if (word !== undefined) reader.hint(key, word);
  }
  return { part: { ...part, ...reader.extraMember() }, place: index };
}

function decodeBlock(value: JsonValue, path: string): Placed {
  const reader = new FieldReader(objectOf(value, path), path);
  const part: ReasoningPart = { kind: "reasoning", text: "" };
  if (reader.requiredString("type") === "redacted_thinking") {
    part.redacted = reader.requiredString("data");
  } else {
    part.text = reader.requiredString("thinking");
    const signature = reader.string("signature");
    if (signature !== undefined) part.signature = signature;
  }
  return { part: { ...part, ...reader.extraMember() }, place: undefined };
}

/**
 * Writes the reasoning among `parts` into a message.
 * @param hints of the message, which tell the words that it came in
 * @param own the message came in this dialect
 */
export function encodeReasoning(
  target: JsonObject,
  parts: readonly ContentPart[],
  hints: JsonObject,
  own: boolean,
): void {
  const reasoning: { part: ReasoningPart; place: number }[] = [];
  parts.forEach((part, index) => {
    if (part.kind === "reasoning") reasoning.push({ part, place: index });
  });
  if (reasoning.length === 0) {
    // an empty text says nothing, but some engines expect to get it back
    for (const word of TEXT_WORDS) if (hints[word] === "") target[word] = "";
    for (const word of ["reasoning_details", "thinking_blocks"]) if (hints[word] !== undefined) target[word] = [];
    return;
  }
  const detailed = reasoning.some(({ part }) => part.signature !== undefined || part.redacted !== undefined);
  const hasDetails = hints["reasoning_details"] !== undefined;
  const hasBlocks = hints["thinking_blocks"] !== undefined;
  const text = reasoning.map(({ part }) => part.text).join("");
  for (const word of TEXT_WORDS) {
    const was = hints[word];
    // beside details the text is for show: what a client made of it goes back as it came
    if (was !== undefined) target[word] = hasDetails || hasBlocks ? was : text;
    else if (word === "reasoning_content" && text !== "" && !(own && hasWord(hints))) target[word] = text;
  }
  if (hasBlocks) target["thinking_blocks"] = reasoning.map(({ part }) => encodeBlock(part));
  if (hasDetails || (detailed && !hasBlocks)) {
    target["reasoning_details"] = reasoning.map(({ part, place: index }) => encodeDetail(part, index));
  }
}

/** Writes the reasoning among `parts` into the message of an answer. */
export function encodeAnswerReasoning(message: JsonObject, parts: readonly ContentPart[]): void {
  const reasoning = parts.filter((part) => part.kind === "reasoning");
  const text = reasoning.map((part) => part.text).join("");
  if (text !== "") for (const word of wordsOf(reasoning)) message[word] = text;
  if (!reasoning.some(isDetailed)) return;
  message["reasoning_details"] = parts.flatMap((part, index) =>
    part.kind === "reasoning" ? [encodeDetail(part, index)] : [],
  );
}

/** The words that an answer's reasoning came in; ours where it came in another dialect. */
export function wordsOf(reasoning: readonly ReasoningPart[]): readonly string[] {
  for (const { extra } of reasoning) {
    const words = hintsOf(extra)[REASONING_WORDS_HINT];
    if (Array.isArray(words)) return words.filter((word) => typeof word === "string");
  }
  // entries without a text beside them
  return reasoning.some(({ extra }) => hintsOf(extra)["type"] !== undefined) ? [] : ["reasoning_content"];
}

/** True if only an entry of `reasoning_details` can say all of the part, or it came as one. */
export function isDetailed(part: ReasoningPart): boolean {
  return part.signature !== undefined || part.redacted !== undefined || hintsOf(part.extra)["type"] !== undefined;
}

function hasWord(hints: JsonObject): boolean {
  return REASONING_WORDED.some((word) => hints[word] !== undefined);
}

/** One entry of `reasoning_details`. @param index the part's place in its message */
export function encodeDetail(part: ReasoningPart, index: number): JsonObject {
  const detail = encodeBareDetail(part, hintsOf(part.extra)["type"]);
  // an entry that came in this word has its own index and format, or none
  if (part.extra?.dialect !== "openai") {
    if (part.signature !== undefined || part.redacted !== undefined) detail["format"] = SIGNED_FORMAT;
    detail["index"] = index;
  }
  return putBack(detail, part.extra, DETAIL_WORDED);
}

function encodeBareDetail(part: ReasoningPart, type: JsonValue | undefined): JsonObject {
  if (part.redacted !== undefined) return { type: "reasoning.encrypted", data: part.redacted };
  const detail: JsonObject = { type: typeof type === "string" ? type : "reasoning.text" };
  if (type === "reasoning.summary") detail["summary"] = part.text;
  else if (part.text !== "" || part.signature === undefined) detail["text"] = part.text;
  if (part.signature !== undefined) detail["signature"] = part.signature;
  return detail;
}

function encodeBlock(part: ReasoningPart): JsonObject {
  if (part.redacted !== undefined) return putBack({ type: "redacted_thinking", data: part.redacted }, part.extra);
  const block: JsonObject = { type: "thinking", thinking: part.text };
  if (part.signature !== undefined) block["signature"] = part.signature;
  return putBack(block, part.extra);
}
