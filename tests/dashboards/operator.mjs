// Whether the PrometheusRule is what the Prometheus Operator's own schema asks for.
//
//     operator.mjs NODE_MODULES RULE.yaml

import * as fs from "node:fs";
import * as path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, file] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(path.resolve(modules, name)));
const { PrometheusRule } = await load("@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/index.js");
const yaml = await load("js-yaml/dist/js-yaml.mjs");

const read = () => yaml.load(fs.readFileSync(file, "utf8"));
const refusal = (rule) => {
  try {
    new PrometheusRule(rule).validate();
    return "";
  } catch (error) {
    return error.message;
  }
};

const why = refusal(read());
// A check that refuses nothing would say nothing.
const spoiled = read();
spoiled.spec.groups[0].rules[0].for = "5 minutes";
if (why || !refusal(spoiled)) {
  console.error(why || "a duration that is none is taken");
  process.exit(1);
}
console.log(`${read().spec.groups.length} groups are as the operator wants them`);
