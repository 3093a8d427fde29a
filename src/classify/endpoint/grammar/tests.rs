//! Names in, facts out.

use proptest::prelude::*;

use super::*;

/// `service kind region partition [account] [fips] [dual_stack] [vpce id]`, or `-` for no endpoint.
fn summary(host: &str) -> String {
    let Some(endpoint) = recognise(host).endpoint else { return "-".to_owned() };
    let mut text = format!(
        "{} {} {} {}",
        endpoint.service,
        endpoint.kind,
        endpoint.region.as_deref().unwrap_or("?"),
        endpoint.partition.unwrap_or("?")
    );
    for part in [
        endpoint.account_id,
        endpoint.fips.then(|| "fips".to_owned()),
        endpoint.dual_stack.then(|| "dual_stack".to_owned()),
        endpoint.vpce_id,
    ]
    .into_iter()
    .flatten()
    {
        text.push(' ');
        text.push_str(&part);
    }
    text
}

#[test]
fn agrees_with_the_endpoint_rules_of_the_sdk() {
    let vectors = include_str!("../../../../tests/vectors/endpoints.tsv");
    let mut count = 0;
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [host, service, region, partition, kind, fips, dual_stack] = columns[..] else {
            panic!("{line}")
        };
        let endpoint = recognise(host).endpoint.unwrap_or_else(|| panic!("{host} is not recognised"));
        let found = (
            endpoint.service.as_str(),
            endpoint.region.as_deref(),
            endpoint.partition,
            endpoint.kind.as_str(),
            endpoint.fips.to_string(),
            endpoint.dual_stack.to_string(),
        );
        let expected = (service, Some(region), Some(partition), kind, fips.to_owned(), dual_stack.to_owned());
        assert_eq!(found, expected, "{host}");
        count += 1;
    }
    assert!(count > 1_000, "only {count} vectors were read");
}

#[test]
fn recognises_what_the_rules_do_not_list() {
    for (host, expected) in [
        // Interface endpoints, regional and zonal.
        (
            "vpce-1a2b3c4d-5e6f.dynamodb.us-east-1.vpce.amazonaws.com",
            "dynamodb interface us-east-1 aws vpce-1a2b3c4d-5e6f",
        ),
        (
            "vpce-1a2b3c4d-5e6f-us-east-1a.dynamodb.us-east-1.vpce.amazonaws.com",
            "dynamodb interface us-east-1 aws vpce-1a2b3c4d-5e6f",
        ),
        (
            "vpce-0d5107b23891af2b9-sow3v4uq-us-east-1-bos-1a.streams.dynamodb.us-east-1.vpce.amazonaws.com",
            "dynamodb-streams interface us-east-1 aws vpce-0d5107b23891af2b9-sow3v4uq",
        ),
        (
            "vpce-1a2b3c4d-5e6f.dynamodb-fips.us-gov-west-1.vpce.amazonaws.com",
            "dynamodb interface us-gov-west-1 aws-us-gov fips vpce-1a2b3c4d-5e6f",
        ),
        (
            "vpce-1a2b3c4d-5e6f.dynamodb.us-east-1.vpce.api.aws",
            "dynamodb interface us-east-1 aws dual_stack vpce-1a2b3c4d-5e6f",
        ),
        // Streams by either of its labels under either suffix.
        (
            "vpce-1a2b3c4d-5e6f.streams.dynamodb.us-east-1.vpce.api.aws",
            "dynamodb-streams interface us-east-1 aws dual_stack vpce-1a2b3c4d-5e6f",
        ),
        (
            "vpce-1a2b3c4d-5e6f.streams-dynamodb.us-east-1.vpce.amazonaws.com",
            "dynamodb-streams interface us-east-1 aws vpce-1a2b3c4d-5e6f",
        ),
        ("streams-dynamodb.us-east-1.amazonaws.com", "dynamodb-streams regional us-east-1 aws"),
        ("streams.dynamodb.us-east-1.api.aws", "dynamodb-streams dual_stack us-east-1 aws dual_stack"),
        (
            "vpce-1a2b3c4d-5e6f.dynamodb.cn-north-1.vpce.amazonaws.com.cn",
            "dynamodb interface cn-north-1 aws-cn vpce-1a2b3c4d-5e6f",
        ),
        (
            "vpce-1a2b3c4d-5e6f.dax.eu-west-1.vpce.amazonaws.com",
            "dax interface eu-west-1 aws vpce-1a2b3c4d-5e6f",
        ),
        // DAX clusters and nodes, newer and older.
        ("daxtest.s9apfk.dax-clusters.us-west-2.amazonaws.com", "dax dax_cluster us-west-2 aws"),
        ("daxtest-a.s9apfk.nodes.dax-clusters.us-west-2.amazonaws.com", "dax dax_cluster us-west-2 aws"),
        ("node-a.daxtest.s9apfk.dax-clusters.us-west-2.amazonaws.com", "dax dax_cluster us-west-2 aws"),
        ("my-ddb.s9apfk.dax-clusters.cn-north-1.amazonaws.com.cn", "dax dax_cluster cn-north-1 aws-cn"),
        ("myDAXcluster-a.2cmrwl.clustercfg.dax.use1.cache.amazonaws.com", "dax dax_cluster us-east-1 aws"),
        ("mydaxcluster-a.2cmrwl.nodes.dax.apse2.cache.amazonaws.com", "dax dax_cluster ap-southeast-2 aws"),
        ("mydaxcluster-a.2cmrwl.0001.dax.zzz9.cache.amazonaws.com", "dax dax_cluster ? ?"),
        // Others.
        ("dynamodb.amazonaws.com", "dynamodb regional us-east-1 aws"),
        ("DynamoDB.US-East-1.AmazonAWS.com.", "dynamodb regional us-east-1 aws"),
        ("dynamodb.us-east-1-fips.amazonaws.com", "dynamodb fips us-east-1 aws fips"),
        // GovCloud's plain host is FIPS by AWS's rules, but its name does not say so.
        ("dynamodb.us-gov-west-1.amazonaws.com", "dynamodb regional us-gov-west-1 aws-us-gov"),
        ("dynamodb.fips-us-gov-west-1.amazonaws.com", "dynamodb fips us-gov-west-1 aws-us-gov fips"),
    ] {
        assert_eq!(summary(host), expected, "{host}");
    }
}

#[test]
fn surfaces_names_the_grammar_does_not_know() {
    for (host, why) in [
        ("dynamodb.us-east-1.vpce.amazonaws.com", Why::VpceLabelWithoutEndpointId),
        ("vpce-1a2b3c4d-5e6f.dynamodb.us-east-1.amazonaws.com", Why::EndpointIdWithoutVpceLabel),
        ("vpce-xyz-5e6f.dynamodb.us-east-1.vpce.amazonaws.com", Why::EndpointIdMalformed),
        ("vpce-1a2b3c4d-5e6f-eu-west-1a.dynamodb.us-east-1.vpce.amazonaws.com", Why::ZoneOfAnotherRegion),
        ("vpce-1a2b3c4d-5e6f-us-east-12.dynamodb.us-east-1.vpce.amazonaws.com", Why::ZoneOfAnotherRegion),
        ("vpce-1a2b3c4d-5e6f.dynamodb.us-east-1a.vpce.amazonaws.com", Why::UnknownForm),
        ("vpce-1a2b3c4d-5e6f.dynamodb.useast1.vpce.amazonaws.com", Why::UnknownForm),
        ("vpce-1a2b3c4d-5e6f.streams.dynamodb.useast1.vpce.amazonaws.com", Why::UnknownForm),
        ("vpce-1a2b3c4d-5e6f.dynamodb.vpce.amazonaws.com", Why::UnknownForm),
        ("11112222333.ddb.us-east-1.amazonaws.com", Why::AccountIdMalformed),
        ("1111222233334.ddb.us-east-1.amazonaws.com", Why::AccountIdMalformed),
        ("11112222333a.search-ddb.us-east-1.api.aws", Why::AccountIdMalformed),
        ("111122223333.ddb-fips.us-east-1.amazonaws.com", Why::UnknownForm),
        ("111122223333.graph-ddb.us-east-1.amazonaws.com", Why::UnknownForm),
        ("graph-dynamodb.us-east-1.api.aws", Why::UnknownForm),
        ("graph.dynamodb.us-east-1.amazonaws.com", Why::UnknownForm),
        ("dynamodb.cn-north-1.amazonaws.com", Why::RegionOfAnotherPartition),
        ("dynamodb.us-east-1.amazonaws.com.cn", Why::RegionOfAnotherPartition),
        ("dynamodb.us-east.amazonaws.com", Why::UnknownForm),
        ("streams.dynamodb.local.amazonaws.com", Why::UnknownForm),
        ("dynamodb-next.amazonaws.com", Why::UnknownForm),
        ("xdynamodb.us-east-1.amazonaws.com", Why::UnknownForm),
        ("dynamodb2.us-east-1.amazonaws.com", Why::UnknownForm),
        ("dynamodbstreams.us-east-1.amazonaws.com", Why::UnknownForm),
        ("dynamodb.dualstack.us-east-1.amazonaws.com", Why::UnknownForm),
        ("dynamodb.us-east-1.fips.amazonaws.com", Why::UnknownForm),
        ("streams.dynamodb.us-east-1.preview.api.aws", Why::UnknownForm),
        ("123456789012.ddb.us-east-1.preview.api.aws", Why::UnknownForm),
        ("a.b.dax-clusters.us-east-1.amazonaws.com", Why::DaxClusterMalformed),
        ("a.s9apfk.dax-clusters.us-east-1.api.aws", Why::DaxClusterMalformed),
        ("a.clustercfg.dax.use1.cache.amazonaws.com", Why::DaxClusterMalformed),
    ] {
        let found = recognise(host);
        let kind = found.endpoint.map(|endpoint| endpoint.kind);
        assert_eq!((kind, found.why), (Some(EndpointKind::Unrecognised), why), "{host}");
    }
}

/// A name of no known form is of the service that it says.
#[test]
fn tells_the_service_of_an_unrecognised_name() {
    for (host, service) in [
        ("graph-dynamodb.us-east-1.amazonaws.com", Service::Dynamodb),
        ("dynamodbstreams.us-east-1.amazonaws.com", Service::DynamodbStreams),
        ("streams.dynamodb.local.amazonaws.com", Service::DynamodbStreams),
        ("streams.dynamodb2.us-east-1.amazonaws.com", Service::DynamodbStreams),
        ("graph-streams-dynamodb.us-east-1.amazonaws.com", Service::DynamodbStreams),
        ("vpce-xyz-5e6f.streams.dynamodb.us-east-1.vpce.amazonaws.com", Service::DynamodbStreams),
        ("11112222333.streams-ddb.us-east-1.amazonaws.com", Service::DynamodbStreams),
        ("11112222333.search-ddb.us-east-1.amazonaws.com", Service::DynamodbSearch),
        ("search-dynamodb.dualstack.us-east-1.amazonaws.com", Service::DynamodbSearch),
        ("vpce-xyz-5e6f.dax.us-east-1.vpce.amazonaws.com", Service::Dax),
    ] {
        let endpoint = recognise(host).endpoint.unwrap();
        assert_eq!((endpoint.kind, endpoint.service), (EndpointKind::Unrecognised, service), "{host}");
    }
}

#[test]
fn refuses_look_alikes_and_other_services() {
    for (host, why) in [
        ("dynamodb.us-east-1.amazonaws.com.evil.example", Why::NotUnderAwsSuffix),
        ("dynamodb.us-east-1.xamazonaws.com", Why::NotUnderAwsSuffix),
        ("dynamodb.us-east-1.amazonaws.org", Why::NotUnderAwsSuffix),
        // Customers' own labels.
        ("my.dynamodb.backup.s3.us-east-1.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.s3.dualstack.us-east-1.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.s3-us-west-2.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.s3-website-us-east-1.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.s3-accesspoint.us-east-1.amazonaws.com", Why::OtherAwsService),
        ("bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com", Why::OtherAwsService),
        ("vpce-1a2b3c4d-5e6f.execute-api.us-east-1.vpce.amazonaws.com", Why::OtherAwsService),
        ("vpce-1a2b3c4d-5e6f.sqs.us-east-1a.vpce.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.vpce-1a2b3c4d-5e6f.s3.us-east-1a.vpce.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.cn-north-1.eb.amazonaws.com.cn", Why::OtherAwsService),
        ("dynamodb.us-east-1.aoss.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.us-east-1.cloudsearch.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.us-east-1.compute.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.us-east-1.neptune.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.execute-api.us-east-1.amazonaws.com", Why::OtherAwsService),
        ("dynamodb-1a2b3c.elb.us-east-1.amazonaws.com", Why::OtherAwsService),
        ("dynamodb-1234567890.us-east-1.elb.amazonaws.com", Why::OtherAwsService),
        ("internal-dynamodb-1234567890.us-east-1.elb.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.us-east-1.elb.amazonaws.com", Why::OtherAwsService),
        ("search-dynamodb-abc.us-east-1.es.amazonaws.com", Why::OtherAwsService),
        ("search-dynamodb.us-east-1.es.amazonaws.com", Why::OtherAwsService),
        ("my-dynamodb.abc123.us-east-1.rds.amazonaws.com", Why::OtherAwsService),
        ("dynamodb-audit.us-east-1.unknown.amazonaws.com", Why::OtherAwsService),
        ("s3.us-east-1.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.s3.us-east-1.amazonaws.com", Why::OtherAwsService),
        ("my-dynamodb-exports.s3.amazonaws.com", Why::OtherAwsService),
        ("dynamodb.s3.amazonaws.com", Why::OtherAwsService),
        ("ddb-front-1234.us-east-1.elb.amazonaws.com", Why::OtherAwsService),
        ("orders-ddb.abc123.0001.use1.cache.amazonaws.com", Why::OtherAwsService),
        ("docdb.us-east-1.amazonaws.com", Why::OtherAwsService),
        ("amazonaws.com", Why::NotUnderAwsSuffix),
        ("dynamodb.us-east-1.amazonaws.com..", Why::NotAHostName),
        ("dynamodb..us-east-1.amazonaws.com", Why::NotAHostName),
        (".dynamodb.us-east-1.amazonaws.com", Why::NotAHostName),
        ("dyn\u{430}modb.us-east-1.amazonaws.com", Why::NotAHostName),
        ("dynamodb.us-east-1.amazonaws.com:443", Why::NotAHostName),
        ("52.94.5.1", Why::NotUnderAwsSuffix),
        ("localhost", Why::NotUnderAwsSuffix),
        ("", Why::NotAHostName),
    ] {
        let found = recognise(host);
        assert_eq!((found.endpoint, found.why), (None, why), "{host}");
    }
    let long = format!("{}.dynamodb.us-east-1.amazonaws.com", "a".repeat(64));
    assert_eq!(recognise(&long).why, Why::NotAHostName);
    assert_eq!(recognise(&"a.".repeat(200)).why, Why::NotAHostName);
}

#[test]
fn reads_wildcards_of_certificates() {
    for (name, kind) in [
        ("dynamodb.us-east-1.amazonaws.com", Some(EndpointKind::Regional)),
        ("*.ddb.us-east-1.amazonaws.com", Some(EndpointKind::Account)),
        ("*.dynamodb.us-east-1.vpce.amazonaws.com", Some(EndpointKind::Interface)),
        ("*.us-east-1.amazonaws.com", None),
        // It covers the name of Streams and no other that is known.
        ("*.dynamodb.us-east-1.amazonaws.com", Some(EndpointKind::Regional)),
        ("*.DynamoDB-fips.us-east-1.amazonaws.com", Some(EndpointKind::Fips)),
        ("*.amazonaws.com", None),
        ("*", None),
    ] {
        let found = recognise_certificate_name(name);
        assert_eq!(found.as_ref().map(|endpoint| endpoint.kind), kind, "{name}");
        assert!(found.is_none_or(|endpoint| endpoint.account_id.is_none() && endpoint.vpce_id.is_none()));
    }
}

#[test]
fn explains_itself_in_sentences() {
    let text = recognise("dynamodb.us-gov-west-1.amazonaws.com").explanation();
    assert!(
        text.starts_with("A regional endpoint of dynamodb, in us-gov-west-1 (partition aws-us-gov):"),
        "{text}"
    );
    assert!(text.contains("GovCloud"), "{text}");
    let text = recognise("www.example.com").explanation();
    assert_eq!(text, "Not an endpoint of DynamoDB: it does not end in a DNS suffix of an AWS partition.");
}

proptest! {
    #[test]
    fn never_panics(host in "\\PC{0,300}") {
        let _ = recognise(&host);
        let _ = recognise_certificate_name(&host);
    }

    #[test]
    fn ignores_case_and_one_trailing_dot(
        labels in proptest::collection::vec(
            prop_oneof![
                Just("dynamodb"), Just("streams"), Just("ddb"), Just("us-east-1"), Just("us-gov-west-1"),
                Just("vpce"), Just("vpce-1a2b3c4d-5e6f"), Just("111122223333"), Just("dax"), Just("cache"),
                Just("use1"), Just("dax-clusters"), Just("abc123"), Just("streams-dynamodb-fips"), Just("s3"),
            ],
            1..6,
        ),
        suffix in prop_oneof![Just("amazonaws.com"), Just("api.aws"), Just("amazonaws.com.cn")],
    ) {
        let host = format!("{}.{suffix}", labels.join("."));
        let plain = recognise(&host);
        prop_assert_eq!(&recognise(&host.to_ascii_uppercase()), &plain);
        prop_assert_eq!(&recognise(&format!("{host}.")), &plain);
        prop_assert_eq!(recognise(&format!("{host}.evil.example")).endpoint, None);
    }
}
