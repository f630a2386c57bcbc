"""Reads a metrics endpoint as Prometheus does, by the Python client's parser of OpenMetrics, which is a strict one.

Usage: scrape.py ADDRESS, with ADDRESS as `[metrics]` has it. Prints one JSON object a sample: its family, type, unit, name,
labels and value.
"""

import http.client
import json
import socket
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def fetch(address):
    if address.startswith("unix:"):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.connect(address.removeprefix("unix:"))
    else:
        connection = http.client.HTTPConnection(address)
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    assert response.status == 200, response.status
    assert response.getheader("Content-Type").startswith("application/openmetrics-text"), response.headers
    return response.read().decode()


samples = []
for family in text_string_to_metric_families(fetch(sys.argv[1])):
    assert family.documentation, family
    for sample in family.samples:
        samples.append({
            "family": family.name,
            "type": family.type,
            "unit": family.unit,
            "name": sample.name,
            "labels": sample.labels,
            "value": sample.value,
        })
print(json.dumps(samples))
