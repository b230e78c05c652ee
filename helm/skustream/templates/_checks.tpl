{{/* What must be said before anything is rendered; each message names the value and the way out. */}}
{{- define "skustream.check" -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is not set: build the Dockerfile, push it to a registry your nodes can reach, and name it here" -}}
{{- end -}}
{{- if not .Values.kafka.bootstrapServers -}}
{{- fail "kafka.bootstrapServers is not set: host:port, or several with commas" -}}
{{- end -}}
{{- if not .Values.store.url -}}
{{- fail "store.url is not set: s3://bucket/prefix" -}}
{{- end -}}
{{- if not .Values.pixelapi.existingSecret -}}
{{- fail (printf "pixelapi.existingSecret is not set: kubectl create secret generic pixelapi --from-file=%s=FILE, and name it here" .Values.pixelapi.secretKey) -}}
{{- end -}}
{{- range $option, $_ := .Values.kafka.options -}}
{{- if has (lower $option) (splitList "," (include "skustream.refusedOptions" $)) -}}
{{- fail (printf "kafka.options: %s cannot be set: a law rests on it, or it has a value of its own; see librdkafka's own options in docs/settings.md" $option) -}}
{{- end -}}
{{- range list "password" "passphrase" "secret" "oauthbearer.config" "key.pem" "jaas" "token" -}}
{{- if contains . (lower $option) -}}
{{- fail (printf "kafka.options: %s is a secret, and a ConfigMap is none: put it into a Secret, kafka.sasl or kafka.tls" $option) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $submit := get .Values.settings "submit_timeout_seconds" | default 30.0 -}}
{{- if le (float64 .Values.drainSeconds) (float64 $submit) -}}
{{- fail (printf "drainSeconds is %d, and a submit may take %v s (settings.submit_timeout_seconds): each stop could cut one off, bought and not known of (L2); set drainSeconds above it" (int .Values.drainSeconds) $submit) -}}
{{- end -}}
{{- if .Values.networkPolicy.enabled -}}
{{- range splitList "," .Values.kafka.bootstrapServers -}}
{{- $port := regexFind ":[0-9]+$" (trim .) | trimPrefix ":" | default "9092" -}}
{{- $open := list -}}{{- range $.Values.networkPolicy.kafkaPorts -}}{{- $open = append $open (int . | toString) -}}{{- end -}}
{{- if not (has $port $open) -}}
{{- fail (printf "networkPolicy.kafkaPorts: Kafka's port %s (kafka.bootstrapServers) is not among them, so no pod would reach it: add it, and those that its brokers advertise" $port) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $protocol := get .Values.kafka.options "security.protocol" | default "PLAINTEXT" | toString | upper -}}
{{- if and .Values.kafka.sasl.existingSecret (not (hasPrefix "SASL_" $protocol)) -}}
{{- fail (printf "kafka.sasl.existingSecret is set, but kafka.options has security.protocol %s: SASL_SSL was expected" $protocol) -}}
{{- end -}}
{{- if and .Values.kafka.tls.existingSecret (not (hasSuffix "SSL" $protocol)) -}}
{{- fail (printf "kafka.tls.existingSecret is set, but kafka.options has security.protocol %s: SSL or SASL_SSL was expected" $protocol) -}}
{{- end -}}
{{- if ne (empty .Values.kafka.tls.certificateKey) (empty .Values.kafka.tls.privateKeyKey) -}}
{{- fail "kafka.tls: certificateKey and privateKeyKey belong together: set both or neither" -}}
{{- end -}}
{{- range $label, $_ := .Values.podLabels -}}
{{- if or (hasPrefix "app.kubernetes.io/" $label) (hasPrefix "skustream/" $label) (hasPrefix "helm.sh/" $label) -}}
{{- fail (printf "podLabels: %s is the chart's own" $label) -}}
{{- end -}}
{{- end -}}
{{- range $note, $_ := .Values.podAnnotations -}}
{{- if or (hasPrefix "checksum/" $note) (hasPrefix "skustream/" $note) -}}
{{- fail (printf "podAnnotations: %s is the chart's own" $note) -}}
{{- end -}}
{{- end -}}
{{- if .Values.console.enabled -}}
{{- if not (regexMatch "^[a-z]" (include "skustream.fullname" .)) -}}
{{- fail (printf "console.enabled: a Service's name begins with a letter, and %s-console does not: set fullnameOverride" (include "skustream.fullname" .)) -}}
{{- end -}}
{{- range (include "skustream.fleet" . | fromJson).deployments -}}
{{- if eq .name (printf "%s-console" (include "skustream.fullname" $)) -}}
{{- fail "console.enabled: the stage console would have a Deployment of the same name: call the stage otherwise" -}}
{{- end -}}
{{- end -}}
{{- if ne (empty .Values.console.proxy.header) (empty .Values.console.proxy.addresses) -}}
{{- fail "console.proxy: header and addresses belong together: anybody can send a header" -}}
{{- end -}}
{{- if and (not .Values.console.token.existingSecret) (not .Values.console.proxy.header) -}}
{{- fail "console.enabled without a way to tell who looks: name a Secret in console.token.existingSecret, or set console.proxy" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not .Values.autoscaling.prometheusUrl) -}}
{{- fail "autoscaling.enabled, but autoscaling.prometheusUrl is not set: http://prometheus.monitoring:9090, as KEDA reaches it" -}}
{{- end -}}
{{- if and (not .Values.serviceAccount.create) .Values.serviceAccount.annotations -}}
{{- fail "serviceAccount.annotations are written on one that the chart makes: set serviceAccount.create, or annotate your own" -}}
{{- end -}}
{{- include "skustream.checkUpgrade" . -}}
{{- end -}}

{{/* As in stream/settings/kafka_options.py; a test compares them. */}}
{{- define "skustream.refusedOptions" -}}
enable.auto.commit,auto.commit.enable,enable.auto.offset.store,auto.offset.reset,isolation.level,transactional.id,group.id,enable.idempotence,acks,request.required.acks,partition.assignment.strategy,group.protocol,message.max.bytes,bootstrap.servers,metadata.broker.list,session.timeout.ms,transaction.timeout.ms
{{- end -}}
