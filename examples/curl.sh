#!/bin/sh
# The same model through both protocols, with nothing but curl. -N shows a stream as it comes.
#
#   SLUICE_KEY=sk-sluice-… sh curl.sh
set -eu
url=${SLUICE_URL:-http://localhost:8080}
model=${SLUICE_MODEL:-echo}

# OpenAI's protocol, a whole answer
curl -fsS "$url/v1/chat/completions" \
  -H "authorization: Bearer $SLUICE_KEY" -H 'content-type: application/json' \
  -d "{\"model\":\"$model\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello from curl!\"}]}"
echo

# the same as a stream
curl -fsSN "$url/v1/chat/completions" \
  -H "authorization: Bearer $SLUICE_KEY" -H 'content-type: application/json' \
  -d "{\"model\":\"$model\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hello from curl!\"}]}"

# Anthropic's protocol
curl -fsS "$url/v1/messages" \
  -H "x-api-key: $SLUICE_KEY" -H 'anthropic-version: 2023-06-01' -H 'content-type: application/json' \
  -d "{\"model\":\"$model\",\"max_tokens\":200,\"messages\":[{\"role\":\"user\",\"content\":\"Hello from curl!\"}]}"
echo

# what this key may use
curl -fsS "$url/v1/models" -H "authorization: Bearer $SLUICE_KEY"
echo
