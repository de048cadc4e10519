# The official OpenAI package through Sluice: only base URL and key differ from calling the vendor.
#
#   pip install openai
#   SLUICE_KEY=sk-sluice-… python sdk-openai.py
import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("SLUICE_URL", "http://localhost:8080") + "/v1",
    api_key=os.environ["SLUICE_KEY"],
)
model = os.environ.get("SLUICE_MODEL", "echo")
messages = [{"role": "user", "content": "Hello from the OpenAI package!"}]

answer = client.chat.completions.create(model=model, messages=messages)
print(answer.choices[0].message.content)

for chunk in client.chat.completions.create(model=model, messages=messages, stream=True):
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="")
print()

for listed in client.models.list():
    print(f"model: {listed.id}")
