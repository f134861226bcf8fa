"""The application for any WSGI server."""

from config.settings import load_settings
from ost.app import create_app

application = create_app(load_settings())
