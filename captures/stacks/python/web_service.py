"""The moto server as a DynamoDB: web_service.py ADDRESS PORT [CERTIFICATE KEY]. Connections are kept alive."""

import sys

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

WSGIRequestHandler.protocol_version = "HTTP/1.1"
application = DomainDispatcherApplication(create_backend_app)


def by_target(environ, start_response):
    """Serves every host name: moto itself knows only the regional ones."""
    streams = environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDBStreams")
    environ["HTTP_HOST"] = ("streams." if streams else "") + "dynamodb.eu-west-1.amazonaws.com"
    return application(environ, start_response)


address, port, *tls = sys.argv[1:]
run_simple(address, int(port), by_target, threaded=True,
           ssl_context=tuple(tls) if tls else None)
