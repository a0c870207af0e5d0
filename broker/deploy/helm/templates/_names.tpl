{{- define "broker.name" -}}
{{ .root.Values.cluster }}-broker-{{ .number }}
{{- end }}

{{- define "broker.labels" -}}
app.kubernetes.io/name: cadastre-broker
app.kubernetes.io/instance: {{ .Values.cluster }}
{{- end }}

{{- define "broker.host" -}}
{{- $domain := .root.Values.advertisedDomain | default (printf "%s.svc" .root.Release.Namespace) -}}
{{ include "broker.name" . }}.{{ $domain }}
{{- end }}
