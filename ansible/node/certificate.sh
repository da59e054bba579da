#!/bin/sh
# Prints the SHA-256 of the certificate of this node's SQL port, 64 lower-case hex digits.
# If the port is closed, it prints nothing and ends with exit code 1.
timeout -k 2 10 openssl s_client -connect 127.0.0.1:8563 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256 2>/dev/null |
  sed -n 's/.*=//p' | tr -d : | tr A-F a-f | grep .
