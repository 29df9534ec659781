// Java.java - the JDK's two HTTP clients: `Java new|old URL...` (java.net.http over h2, HttpsURLConnection over 1.1).
import java.net.*;
import java.net.http.*;

public class Java {
    public static void main(String[] a) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int i = 1; i < a.length; i++) {
            try {
                if (a[0].equals("new")) {
                    client.send(HttpRequest.newBuilder(URI.create(a[i])).build(), HttpResponse.BodyHandlers.ofString());
                } else {
                    URLConnection c = new URL(a[i]).openConnection();
                    c.getInputStream().readAllBytes();
                }
            } catch (java.io.IOException e) { System.err.println(e); }
            Thread.sleep(150);
        }
    }
}
