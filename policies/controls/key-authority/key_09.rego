# METADATA
# scope: package
# title: Certificates are rotated by a proven workflow
# description: |
#   There is a runbook for replacing the certificates of listeners, somebody answers for it, it is filled in and reviewed, its steps are
#   the customer's to take, and the drill that it names passed on each cluster: clients stayed connected, and nothing was lost.
# custom:
#   id: KEY-09
#   area: key-authority
#   pass: the runbook is owned, filled in and reviewed, and its drill passed on each cluster within the declared age
#   red_flag: there is no runbook for rotating certificates, or the vendor alone can rotate them
#   requires:
#     - documents:ListDocuments
#     - documents:ReadDocument
#   fix: write the runbook (`cadastre init --documents`), and exercise it with `cadastre prove --drill certificate-rotation`
package cadastre.controls.key_09

import rego.v1

import data.cadastre.lib.runbooks

drill := "certificate-rotation"

subjects contains result if some result in runbooks.examined("KEY-09", drill)

findings contains result if {
	some result in runbooks.doubts("KEY-09", drill, "how its certificates are rotated", {"rotate-certificates"})
}
