/**
 * Which vendor of the price catalogue a provider is: the host of its URLs says so, and nothing else. What a provider is
 * called, and which protocol it speaks, says nothing of whom one pays.
 */

/** The vendor's id in the catalogue, by host or by what a host ends in, and where needed the beginning of the path. */
export const CATALOGUE_HOSTS: readonly (readonly [pattern: string, vendor: string])[] = [
  ["api.openai.com", "openai"],
  ["*.openai.azure.com", "azure"],
  ["*.services.ai.azure.com", "azure"],
  ["*.cognitiveservices.azure.com", "azure"],
  ["api.anthropic.com", "anthropic"],
  ["generativelanguage.googleapis.com", "google"],
  ["aiplatform.googleapis.com", "google"],
  ["*-aiplatform.googleapis.com", "google"],
  ["api.deepseek.com", "deepseek"],
  ["api.mistral.ai", "mistral"],
  ["api.x.ai", "x-ai"],
  ["api.groq.com", "groq"],
  ["openrouter.ai", "openrouter"],
  ["api.together.ai", "together"],
  ["api.together.xyz", "together"],
  ["api.fireworks.ai", "fireworks"],
  ["api.cerebras.ai", "cerebras"],
  ["api.cohere.com", "cohere"],
  ["api.cohere.ai", "cohere"],
  ["api.perplexity.ai", "perplexity"],
  ["api.moonshot.ai", "moonshotai"],
  ["api.moonshot.cn", "moonshotai"],
  ["api.minimax.io", "minimax"],
  ["api.minimaxi.com", "minimax"],
  ["api.z.ai", "zai"],
  ["open.bigmodel.cn", "zhipuai"],
  ["api.novita.ai", "novita"],
  ["api.voyageai.com", "voyageai"],
  ["inference.baseten.co", "baseten"],
  ["oai.endpoints.kepler.ai.cloud.ovh.net", "ovhcloud"],
  ["router.huggingface.co/cerebras", "huggingface_cerebras"],
  ["router.huggingface.co/fireworks-ai", "huggingface_fireworks-ai"],
  ["router.huggingface.co/groq", "huggingface_groq"],
  ["router.huggingface.co/hyperbolic", "huggingface_hyperbolic"],
  ["router.huggingface.co/nebius", "huggingface_nebius"],
  ["router.huggingface.co/novita", "huggingface_novita"],
  ["router.huggingface.co/nscale", "huggingface_nscale"],
  ["router.huggingface.co/ovhcloud", "huggingface_ovhcloud"],
  ["router.huggingface.co/publicai", "huggingface_publicai"],
  ["router.huggingface.co/sambanova", "huggingface_sambanova"],
  ["router.huggingface.co/together", "huggingface_together"],
];

/** The vendor that all the URLs belong to; undefined if there is none, or more than one. */
export function catalogueProviderOf(urls: readonly string[]): string | undefined {
  const [first, ...others] = new Set(urls.map(vendorOf));
  return others.length === 0 ? first : undefined;
}

function vendorOf(text: string): string | undefined {
  const { protocol, hostname, pathname } = new URL(text);
  // a vendor is reached by its name over TLS; plain HTTP leads to something of one's own that goes by that name
  if (protocol !== "https:") {
    return undefined;
  }
  return CATALOGUE_HOSTS.find(([pattern]) => {
    const slash = pattern.indexOf("/");
    const host = slash === -1 ? pattern : pattern.slice(0, slash);
    const path = slash === -1 ? "" : pattern.slice(slash);
    const isHost = host.startsWith("*") ? hostname.endsWith(host.slice(1)) : hostname === host;
    return isHost && (pathname === path || pathname.startsWith(`${path}/`));
  })?.[1];
}
