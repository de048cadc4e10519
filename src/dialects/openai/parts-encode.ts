/** Content parts, from the form to the wire. */
import { clientPath } from "../client-path.ts";
import type { FieldReport } from "../field-report.ts";
import type { ChatRequest, ContentPart, DialectName, DocumentPart, ImagePart, MediaSource } from "../form.ts";
import type { JsonObject } from "../../lib/json.ts";
import { encodeCacheMarker } from "./cache-marker.ts";
import { hintsOf, putBack } from "./fields.ts";
import { dataUrl, FILE_DATA_FORM, PART_WORDED } from "./parts-decode.ts";

/** What encoding needs to know about the request. */
export interface PartContext {
  readonly report: FieldReport;
  readonly origin: DialectName | undefined;
  /** The request came in this dialect's own words: nothing is corrected, its vendor judges. */
  readonly own: boolean;
  readonly cacheMarkers: ChatRequest["cacheMarkers"];
}

/**
 * The wire parts of one part: usually one, none if it cannot be said, two for a document with a context.
 * @param path of the part, in the client's words
 * @throws SluiceError `unsupported_field` through the report
 */
export function encodePart(part: ContentPart, path: string, context: PartContext): JsonObject[] {
  context.report.foreign(part.extra, path);
  const encoded = encodeBare(part, path, context);
  const last = encoded.at(-1);
  if (last === undefined || part.kind === "opaque") return encoded;
  encodeCacheMarker(last, part.cacheControl, part.extra, context.cacheMarkers);
  putBack(last, part.extra, PART_WORDED);
  return encoded;
}

function encodeBare(part: ContentPart, path: string, context: PartContext): JsonObject[] {
  const { report, origin } = context;
  switch (part.kind) {
    case "text":
      if (part.citations !== undefined && part.citations.length > 0) {
        report.unsupported(clientPath(origin, path, "citations"), "Leave out the citations of earlier answers.");
      }
      return [{ type: "text", text: part.text }];
    case "refusal":
      return [{ type: "refusal", refusal: part.text }];
    case "image":
      return encodeImage(part, path, context);
    case "document":
      return encodeDocument(part, path, context);
    case "audio":
      return [{ type: "input_audio", input_audio: { data: part.data, format: part.format } }];
    case "opaque":
      if (part.dialect === "openai") return [part.value];
      report.unsupported(path, "Leave it out.");
      return [];
    case "reasoning":
    case "toolCall":
    case "toolResult":
      // these have places of their own in a message; here they stand where no dialect allows them
      report.unsupported(path, "It may not stand here.");
      return [];
  }
}

function encodeImage(part: ImagePart, path: string, context: PartContext): JsonObject[] {
  const url = urlOf(part.source);
  if (url === undefined) {
    refuseSource(part.source, path, context);
    return [];
  }
  return [{ type: "image_url", image_url: part.detail === undefined ? { url } : { url, detail: part.detail } }];
}

function urlOf(source: MediaSource): string | undefined {
  if (source.kind === "base64") return dataUrl(source.mediaType, source.data);
  return source.kind === "url" ? source.url : undefined;
}

function refuseSource(source: MediaSource, path: string, { report, origin }: PartContext): void {
  const field = source.kind === "file" ? "file_id" : "data";
  report.unsupported(clientPath(origin, path, "source", field), "Send it as base64 data.");
}

/**
 * A document: a `file` part; a plain text becomes a text part with title and context before it, since the
 * protocol takes no text files; a context of any other document becomes a text part of its own.
 */
function encodeDocument(part: DocumentPart, path: string, context: PartContext): JsonObject[] {
  const { report, origin } = context;
  if (part.citations === true) {
    report.unsupported(clientPath(origin, path, "citations"), "Ask for quotations in the prompt instead.");
  }
  if (part.source.kind === "text") {
    const text = [part.title, part.context, part.source.text].filter((piece) => piece !== undefined).join("\n\n");
    return [{ type: "text", text }];
  }
  const file = encodeFile(part, path, context);
  if (file === undefined) return [];
  if (part.title !== undefined) file["filename"] = part.title;
  const encoded: JsonObject = { type: "file", file };
  return part.context === undefined ? [encoded] : [{ type: "text", text: part.context }, encoded];
}

function encodeFile(part: DocumentPart, path: string, context: PartContext): JsonObject | undefined {
  const { source } = part;
  const form = hintsOf(part.extra)[FILE_DATA_FORM];
  if (source.kind === "base64") {
    return { file_data: form === "bare" ? source.data : dataUrl(source.mediaType, source.data) };
  }
  if (source.kind === "url" && form === "url") return { file_data: source.url };
  if (source.kind === "file" && context.own) return { file_id: source.fileId };
  if (source.kind === "url") {
    context.report.unsupported(clientPath(context.origin, path, "source", "url"), "Send it as base64 data.");
  } else {
    refuseSource(source, path, context);
  }
  return undefined;
}
