/** What is not visible ASCII, and the percent sign. */
const NOT_PLAIN = /[^\x21-\x24\x26-\x7e]/gu;

/**
 * Any text as a header value can hold it (RFC 9110, section 5.5): what is not visible ASCII is percent-encoded as UTF-8
 * (RFC 3986, section 2.1), so that a reader gets it back by decoding.
 * @param also further characters to encode, such as the comma between the members of a list
 */
export function headerText(text: string, also = ""): string {
  const encoded = text.toWellFormed().replace(NOT_PLAIN, encodeURIComponent);
  return also === "" ? encoded : encoded.replaceAll(also, encodeURIComponent(also));
}
