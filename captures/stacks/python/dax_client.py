"""AWS's own DAX client against a cluster that takes its greeting and says nothing: dax_client.py ENDPOINT"""

import sys

import amazondax
import botocore.session

session = botocore.session.Session()
session.set_credentials("AKIAIOSFODNN7EXAMPLE", "throwaway")
try:
    with amazondax.AmazonDaxClient(session, region_name="eu-west-1", endpoints=[sys.argv[1]]) as client:
        client.list_tables()
except Exception as error:  # nobody answers, and that is what is wanted
    print(type(error).__name__)
