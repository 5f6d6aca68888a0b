"""The other side of the encryption tests, on an independent JOSE implementation (PyPI: jwcrypto).

Reads one JSON object from standard input and writes one to standard output:
  {"do": "encrypt", "key": <public JWK>, "text": ..}  -> {"out": <compact JWE>}
  {"do": "decrypt", "key": <private JWK>, "text": ..} -> {"out": <clear text>}
"""

import json
import sys

from jwcrypto import jwe, jwk

ALGORITHMS = ["ECDH-ES+A256KW", "A256GCM"]

asked = json.load(sys.stdin)
key = jwk.JWK(**asked["key"])
if asked["do"] == "encrypt":
    header = {"alg": ALGORITHMS[0], "enc": ALGORITHMS[1], "cty": "application/json"}
    token = jwe.JWE(asked["text"].encode(), json.dumps(header), algs=ALGORITHMS)
    token.add_recipient(key)
    out = token.serialize(compact=True)
else:
    token = jwe.JWE(algs=ALGORITHMS)
    token.deserialize(asked["text"], key)
    out = token.payload.decode()
json.dump({"out": out}, sys.stdout)
