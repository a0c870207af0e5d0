"""Prints what a broker counted, as it tells in its configuration."""

import confluent_kafka.admin
from clients import *

admin = confluent_kafka.admin.AdminClient(confluent_options())
resource = confluent_kafka.admin.ConfigResource(confluent_kafka.admin.ConfigResource.Type.BROKER, "1")
(answer,) = admin.describe_configs([resource]).values()
print(answer.result()["cadastre.usage"].value)
