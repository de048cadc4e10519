/** Content parts of a request's messages, from the wire to the form. Parts that only engines know stay opaque. */
import type { JsonValue } from "../../lib/json.ts";
import type { ContentPart, MediaSource } from "../form.ts";
import { CACHE_MARKER_KEYS, decodeCacheMarker } from "./cache-marker.ts";
import { FieldReader, invalidType, invalidValue, objectOf, stringOf, under } from "./fields.ts";

/** Only this form can be rebuilt to the byte; other data URLs stay URLs. */
const BASE64_URL = /^data:([a-zA-Z0-9!#$&^_.+-]+\/[a-zA-Z0-9!#$&^_.+-]+);base64,/;
/** What `file_data` without a `data:` prefix is: the only kind of file that the API took when it was bare. */
const BARE_FILE_TYPE = "application/pdf";

/** Parts, and whether the wire had a plain string in their place. */
export interface DecodedContent {
  readonly content: ContentPart[];
  readonly plain: boolean;
}

/** `content` as a string or an array of parts. @throws SluiceError `invalid_request` naming the field */
export function decodeContent(value: JsonValue | undefined, path: string): DecodedContent {
  if (typeof value === "string") return { content: [{ kind: "text", text: value }], plain: true };
  if (!Array.isArray(value)) throw invalidType(path, "a string or an array of content parts", value);
  return { content: value.map((part, index) => decodePart(part, under(path, index))), plain: false };
}

function decodePart(value: JsonValue, path: string): ContentPart {
  const object = objectOf(value, path);
  const type = stringOf(object["type"], under(path, "type"));
  const decode = DECODERS.get(type);
  if (decode === undefined) return { kind: "opaque", dialect: "openai", value: object };
  const reader = new FieldReader(object, path);
  reader.value("type");
  const cacheControl = decodeCacheMarker(reader);
  const part = decode(reader);
  if (cacheControl !== undefined) part.cacheControl = cacheControl;
  return part;
}

const DECODERS: ReadonlyMap<string, (reader: FieldReader) => ContentPart> = new Map([
  ["text", decodeText],
  ["refusal", decodeRefusal],
  ["image_url", decodeImage],
  ["input_audio", decodeAudio],
  ["file", decodeFile],
]);

function decodeText(reader: FieldReader): ContentPart {
  return { kind: "text", text: reader.requiredString("text"), ...reader.extraMember() };
}

function decodeRefusal(reader: FieldReader): ContentPart {
  return { kind: "refusal", text: reader.requiredString("refusal"), ...reader.extraMember() };
}

function decodeImage(reader: FieldReader): ContentPart {
  const image = reader.nested("image_url");
  const source = sourceOfUrl(image.requiredString("url"));
  const detail = image.string("detail");
  return {
    kind: "image",
    source,
    ...(detail === undefined ? {} : { detail }),
    ...reader.extraMember(),
  };
}

function decodeAudio(reader: FieldReader): ContentPart {
  const audio = reader.nested("input_audio");
  return {
    kind: "audio",
    data: audio.requiredString("data"),
    format: audio.requiredString("format"),
    ...reader.extraMember(),
  };
}

function decodeFile(reader: FieldReader): ContentPart {
  const file = reader.nested("file");
  const title = file.string("filename");
  const fileId = file.string("file_id");
  const data = file.string("file_data");
  if (fileId !== undefined && data !== undefined) {
    throw invalidValue(file.path, "expected either 'file_id' or 'file_data', not both");
  }
  let source: MediaSource;
  if (fileId !== undefined) source = { kind: "file", fileId };
  else if (data !== undefined) source = sourceOfFileData(data, reader);
  else throw invalidType(file.at("file_data"), "a string", undefined);
  return {
    kind: "document",
    source,
    ...(title === undefined ? {} : { title }),
    ...reader.extraMember(),
  };
}

function sourceOfUrl(url: string): MediaSource {
  const match = BASE64_URL.exec(url);
  if (match === null) return { kind: "url", url };
  return { kind: "base64", mediaType: match[1] ?? "", data: url.slice(match[0].length) };
}

/** A data URL by the book; aggregators also take the address of the file, and the API bare base64. */
function sourceOfFileData(data: string, reader: FieldReader): MediaSource {
  const source = sourceOfUrl(data);
  if (source.kind === "base64") return source;
  if (/^[a-z][a-z0-9+.-]*:/i.test(data)) {
    reader.hint(FILE_DATA_FORM, "url");
    return source;
  }
  reader.hint(FILE_DATA_FORM, "bare");
  return { kind: "base64", mediaType: BARE_FILE_TYPE, data };
}

/** The hint that `file_data` was not a data URL: `url` or `bare`. */
export const FILE_DATA_FORM = "sluice_file_data";

/** Hints on parts that tell how something of the form was worded. */
export const PART_WORDED: ReadonlySet<string> = new Set([...CACHE_MARKER_KEYS, FILE_DATA_FORM]);

/** A data URL of base64 data (RFC 2397). */
export function dataUrl(mediaType: string, data: string): string {
  return `data:${mediaType};base64,${data}`;
}
