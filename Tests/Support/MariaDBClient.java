import java.sql.DriverManager;

/** MariaDB Connector/J against a server: PORT and CA as arguments, the password in TOKEN. */
public class MariaDBClient {
    public static void main(String[] arguments) throws Exception {
        var url = "jdbc:mariadb://127.0.0.1:" + arguments[0] + "/shop?useSsl=true&serverSslCert=" + arguments[1] + "&useServerPrepStmts=true";
        try (var connection = DriverManager.getConnection(url, "orders", System.getenv("TOKEN"))) {
            try (var statement = connection.createStatement(); var rows = statement.executeQuery("SELECT 1")) {
                rows.next();
                if (!rows.getString(1).equals("orders")) throw new Exception("text: " + rows.getString(1));
            }
            try (var statement = connection.prepareStatement("SELECT ?, ?")) {
                statement.setInt(1, 7);
                statement.setString(2, "two");
                try (var rows = statement.executeQuery()) {
                    rows.next();
                    if (!rows.getString(1).equals("orders")) throw new Exception("binary: " + rows.getString(1));
                }
            }
        }
        System.out.println("ok");
    }
}
