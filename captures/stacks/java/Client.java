import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.Security;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import java.util.List;

/** Makes one TLS connection and prints what Java says of it, as JSON: Client ADDRESS PORT NAME AUTHORITY [PROTOCOL...]. */
public class Client {
    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 4 && !arguments[4].equals("TLSv1.2")) {
            // What Java has switched off since; only where it is asked for, as this changes the hello.
            Security.setProperty("jdk.tls.disabledAlgorithms", "");
            Security.setProperty("jdk.certpath.disabledAlgorithms", "");
        }
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        try (InputStream file = new FileInputStream(arguments[3])) {
            trusted.setCertificateEntry("authority", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(arguments[0], Integer.parseInt(arguments[1]))) {
            if (arguments.length > 4) {
                socket.setEnabledProtocols(java.util.Arrays.copyOfRange(arguments, 4, arguments.length));
            }
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setServerNames(List.of(new SNIHostName(arguments[2])));
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            socket.startHandshake();
            socket.getOutputStream().write("hello\n".getBytes());
            System.out.printf("{\"port\": %d, \"version\": \"%s\", \"cipher\": \"%s\"}%n", socket.getLocalPort(),
                    socket.getSession().getProtocol(), socket.getSession().getCipherSuite());
            Thread.sleep(200);
        }
    }
}
