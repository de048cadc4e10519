/** `cors`: lets pages of other origins call a route from a browser (Fetch standard, section 3.2, CORS protocol). */
import { z } from "zod";
import type { RequestFilterDefinition, RequestView } from "../../contract.ts";

const token = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const schema = z.strictObject({
  /** Origins (`https://app.example.com`), or `*` for any. */
  allowOrigins: z.array(z.union([z.literal("*"), z.string().regex(/^https?:\/\/[^/\s,]+$/)])).min(1),
  allowMethods: z.array(z.string().regex(token)).default(["GET", "POST", "OPTIONS"]),
  /** Request headers a page may send; `*` echoes what the browser asks for. */
  allowHeaders: z.array(z.string().regex(token)).default(["*"]),
  /** Answer headers a page may read. */
  exposeHeaders: z.array(z.string().regex(token)).default(["x-request-id", "retry-after", "retry-after-ms"]),
  allowCredentials: z.boolean().default(false),
  /** How long a browser may remember a preflight, in seconds. */
  maxAgeSeconds: z.int().min(0).max(86_400).default(600),
});

export const cors: RequestFilterDefinition<z.infer<typeof schema>> = {
  name: "cors",
  kind: "request",
  schema,
  create(options) {
    const any = options.allowOrigins.includes("*");
    const allowed = new Set(options.allowOrigins);
    const methods = options.allowMethods.join(", ");
    const exposed = options.exposeHeaders.join(", ");

    function originHeaders(request: RequestView): string[] | undefined {
      const origin = request.headers.origin;
      if (origin === undefined || !(any || allowed.has(origin))) {
        return undefined;
      }
      // with credentials a wildcard is void, so the origin is named; then caches must tell origins apart
      const named = !any || options.allowCredentials;
      const headers = ["access-control-allow-origin", named ? origin : "*"];
      if (options.allowCredentials) {
        headers.push("access-control-allow-credentials", "true");
      }
      return headers;
    }

    function allowedHeaders(request: RequestView): string {
      const asked = request.headers["access-control-request-headers"];
      if (!options.allowHeaders.includes("*")) {
        return options.allowHeaders.join(", ");
      }
      return asked !== undefined && /^[\w\-, ]{0,2000}$/.test(asked) ? asked : "authorization, content-type";
    }

    return {
      beforeAuthentication(request) {
        if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined) {
          return undefined;
        }
        if (originHeaders(request) === undefined) {
          return { status: 403, headers: [], body: "" };
        }
        const headers = [
          "access-control-allow-methods",
          methods,
          "access-control-allow-headers",
          allowedHeaders(request),
        ];
        headers.push("access-control-max-age", String(options.maxAgeSeconds));
        return { status: 204, headers, body: "" };
      },
      answerHead(request, headers) {
        if (!any || options.allowCredentials) {
          headers.push("vary", "origin");
        }
        const own = originHeaders(request);
        if (own !== undefined) {
          headers.push(...own, "access-control-expose-headers", exposed);
        }
      },
    };
  },
};
