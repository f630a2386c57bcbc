"""Beside the tests of Azure's store: makes the container, a key for one host, and reads a table back.

usage: azurite.py ENDPOINT container NAME             makes a container
       azurite.py ENDPOINT create-only NAME           prints a SAS that may create what is not there, and nothing else
       azurite.py ENDPOINT rows TABLE_URL COLUMN ...  prints one JSON array of rows
The account is the one of the emulator, whose key is public.
"""
import datetime
import json
import os
import sys

from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
from deltalake import DeltaTable

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

endpoint, what, name, *columns = sys.argv[1:]
if what == "container":
    BlobServiceClient(endpoint, credential=KEY).create_container(name)
elif what == "create-only":
    expiry = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    create = ContainerSasPermissions(create=True)
    print(generate_container_sas(ACCOUNT, name, account_key=KEY, permission=create, expiry=expiry))
else:
    options = {
        "azure_storage_account_name": ACCOUNT,
        "azure_storage_account_key": KEY,
        "azure_storage_endpoint": endpoint,
        "azure_allow_http": "true",
    }
    print(json.dumps(DeltaTable(name, storage_options=options).to_pyarrow_table(columns=columns).to_pylist()), flush=True)
    # The clients' native threads may abort the interpreter where it waits for them.
    os._exit(0)
